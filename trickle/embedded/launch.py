"""Starting, stopping and looking at the server of a data directory.

Every question is answered from the data directory, so any process of the same user may start, stop and look.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from trickle.embedded.binaries import bindir
from trickle.embedded.cluster import prepare, read_password
from trickle.embedded.file_lock import locked
from trickle.embedded.layout import Layout, layout_of, make_private, remove_short_directory
from trickle.embedded.postmaster import disown_recycled_pid, is_server_of, read_postmaster
from trickle.embedded.readable import readable_bindir
from trickle.embedded.run_as import choose, observe
from trickle.embedded.server import Server
from trickle.embedded.spawn import Child, free_port, reap, spawn
from trickle.errors import ConfigurationError, TryAgain

Setting = str | int | bool
StopMode = Literal["smart", "fast", "immediate"]

_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_POLL_SECONDS = 0.01
_LOCK_SECONDS = 120.0
_PORT_ATTEMPTS = 5

# Backends of a server that was killed notice within moments and let go of its shared memory.
_ORPHAN_SECONDS = 10.0


def start(
    data_dir: Path | str | None = None,
    *,
    settings: Mapping[str, Setting] | None = None,
    port: int | None = None,
    die_with_parent: bool = False,
    wait_seconds: float = 60.0,
) -> Server:
    """Start the server of a data directory, made when it does not exist; one that runs is returned.

    Without a directory this user's own is meant. `settings` are server settings for this run; a server that
    runs already keeps its own.
    """
    layout = layout_of(data_dir)
    make_private(layout.data_dir)
    with locked(layout.lock, wait_seconds=_LOCK_SECONDS):
        running = _await_running(layout, wait_seconds)
        if running is not None:
            return running
        run_as = choose(observe(), made_as_account=layout.made_as_account)
        directory = readable_bindir(bindir(), run_as)
        prepare(layout, directory, run_as)
        settled = time.monotonic() + (_ORPHAN_SECONDS if disown_recycled_pid(layout.pgdata) else 0.0)
        command = [str(directory / "postgres"), "-D", str(layout.pgdata), *_options(layout, settings or {})]
        ports = [port] if port is not None else [free_port() for _ in range(_PORT_ATTEMPTS)]
        while True:
            words = [*command, "-p", str(ports[0])]
            child = spawn(words, run_as, layout.log, die_with_parent=die_with_parent)
            started = _await_child_or_abandon(child, layout, wait_seconds)
            if started is not None:
                return started
            _prepare_another_attempt(child, layout, ports, settled)


def stop(server: Server | Path | str | None = None, mode: StopMode = "fast", *, wait_seconds: float = 60.0) -> bool:
    """Stop the server of a data directory and wait until it is gone; False when none was running."""
    layout = layout_of(server.data_dir if isinstance(server, Server) else server)
    if not layout.data_dir.is_dir():
        return False
    with locked(layout.lock, wait_seconds=_LOCK_SECONDS):
        running = read_postmaster(layout.pgdata)
        if running is not None:
            _signal(running.pid, _SIGNALS[mode])
            _await_end(running.pid, layout, wait_seconds)
        remove_short_directory(layout)
        return running is not None


def status(data_dir: Path | str | None = None) -> Server | None:
    """The server of a data directory when it runs and takes connections."""
    return _running(layout_of(data_dir))


def _running(layout: Layout, *, started_here: bool = False) -> Server | None:
    running = read_postmaster(layout.pgdata)
    if running is None or not running.ready:
        return None
    return Server(
        data_dir=layout.data_dir,
        socket_dir=running.socket_dir,
        port=running.port,
        pid=running.pid,
        version=layout.version.read_text(encoding="ascii").strip(),
        password=read_password(layout.password),
        started_here=started_here,
    )


def _options(layout: Layout, settings: Mapping[str, Setting]) -> list[str]:
    """Command-line options: the caller's settings, then the ones this package stands for, which hold."""
    chosen: dict[str, Setting] = {
        "log_destination": "stderr",
        **settings,
        "logging_collector": False,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(layout.socket.resolve()),
        "unix_socket_permissions": "0700",
        "hba_file": str(layout.hba),
    }
    words: list[str] = []
    for name, value in chosen.items():
        text = ("on" if value else "off") if isinstance(value, bool) else str(value)
        words += ["-c", f"{name}={text}"]
    return words


def _await_running(layout: Layout, wait_seconds: float) -> Server | None:
    """The server that runs already, after waiting for one on its way up or down; None without one."""
    deadline = time.monotonic() + wait_seconds
    while read_postmaster(layout.pgdata) is not None:
        running = _running(layout)
        if running is not None:
            return running
        _check_deadline(deadline, layout)
        time.sleep(_POLL_SECONDS)
    return None


def _await_child_or_abandon(child: Child, layout: Layout, wait_seconds: float) -> Server | None:
    """Wait for the server; an interrupted wait (Ctrl-C) leaves none, a slow recovery goes on by itself."""
    try:
        return _await_child(child, layout, wait_seconds)
    except TryAgain:
        raise
    except BaseException:
        child.abandon()
        raise


def _await_child(child: Child, layout: Layout, wait_seconds: float) -> Server | None:
    """The server once it takes connections, or None when its process has ended before."""
    deadline = time.monotonic() + wait_seconds
    while not child.ended:
        running = _running(layout, started_here=True)
        if running is not None and running.pid == child.process.pid:
            return running
        _check_deadline(deadline, layout)
        time.sleep(_POLL_SECONDS)
    reap(child.process.pid)
    return None


def _prepare_another_attempt(child: Child, layout: Layout, ports: list[int], settled: float) -> None:
    """Where trying again can help, get ready for it; else say what the server said."""
    said = child.said()
    if "TCP/IP" in said and len(ports) > 1:
        del ports[0]
    elif "shared memory block" in said and time.monotonic() < settled:
        time.sleep(0.2)
    else:
        raise ConfigurationError(f"the server in {layout.data_dir} did not start: {said or 'it said nothing'}")


def _check_deadline(deadline: float, layout: Layout) -> None:
    if time.monotonic() > deadline:
        raise TryAgain(
            f"the server in {layout.data_dir} is not ready yet",
            hint=f"it may be recovering from a crash, see {layout.log}; try again later",
        )


def _await_end(pid: int, layout: Layout, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while is_server_of(pid, layout.pgdata):
        if time.monotonic() > deadline:
            raise TryAgain(
                f"the server in {layout.data_dir} has not stopped in {wait_seconds:.0f} s",
                hint="it waits for its clients in mode 'smart'; 'fast' disconnects them",
            )
        time.sleep(_POLL_SECONDS)
    reap(pid)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
