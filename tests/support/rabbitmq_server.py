"""A real RabbitMQ, which needs some seconds to start: one for all tests, those that kill it included."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.brokers import free_port, missing
from support.frozen import freeze_group
from support.waiting import until

# The node, its port mapper and this shell are one process group, which ends when any of them wants it to: the node by
# itself, or the tests, whose end closes the shell's input.
_RUN = """
epmd >/dev/null 2>&1 </dev/null &
{ "$0"; kill -9 0; } </dev/null &
cat >/dev/null
kill -9 0
"""


@dataclass(slots=True)
class Rabbitmq:
    """A node of its own name and with its own port mapper, as the account that the package made for it."""

    folder: Path
    port: int
    distribution: int
    mapper: int
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        with (self.folder / "out").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_its_account(), "sh", "-c", _RUN, _server()],
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._is_up, seconds=90, what="RabbitMQ answers")

    def kill(self) -> None:
        """SIGKILL to all of it."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
            if self._process.stdin is not None:
                self._process.stdin.close()
            until(lambda: not self._port_answers(), seconds=30, what="RabbitMQ is dead")

    def pause(self) -> None:
        """SIGSTOP: its processes keep their connections and say nothing."""
        assert self._process is not None
        freeze_group(self._process.pid)

    def resume(self) -> None:
        """SIGCONT: they read what was sent to them meanwhile."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Paused until the block ends."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def ask(self, *words: str) -> None:
        """rabbitmqctl."""
        tool = str(Path(_server()).with_name("rabbitmqctl"))
        subprocess.run(
            [*self._as_its_account(), tool, *words],
            env=self._environment(),
            check=True,
            capture_output=True,
            timeout=60,
        )

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"trickle{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "ERL_EPMD_PORT": str(self.mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _as_its_account(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", "--reuid=rabbitmq", "--regid=rabbitmq", "--clear-groups"]

    def _is_up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"it ended: {(self.folder / 'out').read_text(errors='replace')[-2000:]}")
        if not self._port_answers():
            return False
        # The port is open before the node is ready; then it talks.
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as probe:
            probe.settimeout(5)
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            try:
                return bool(probe.recv(1))
            except OSError:
                time.sleep(0.2)
                return False

    def _port_answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _server() -> str:
    for place in ("/usr/lib/rabbitmq/bin/rabbitmq-server", shutil.which("rabbitmq-server")):
        if place and os.access(place, os.X_OK):
            return place
    missing("rabbitmq-server", "install the package rabbitmq-server")
    raise AssertionError


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[Rabbitmq]:
    """The node; whoever kills it starts it again."""
    _server()
    with tempfile.TemporaryDirectory(prefix="trickle-rabbitmq-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        (folder / "plugins").write_text("[].\n", encoding="utf-8")
        (folder / "rabbitmq.conf").write_text("loopback_users = none\nlog.console = false\n", encoding="utf-8")
        if os.geteuid() == 0:
            for place in (folder, *folder.iterdir()):
                shutil.chown(place, "rabbitmq", "rabbitmq")
        node = Rabbitmq(folder, free_port(), free_port(), free_port())
        try:
            node.start()
            yield node
        finally:
            node.kill()
