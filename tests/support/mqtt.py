"""A real mosquitto on a free port, which keeps its sessions on disk and can be killed and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import certificates
from support.brokers import missing
from support.waiting import until

USER, PASSWORD = "relay", "of the relay"
_CONFIGURATION = """
per_listener_settings false
listener {port} 127.0.0.1
listener {tls_port} 127.0.0.1
certfile {folder}/cert.pem
keyfile {folder}/key.pem
allow_anonymous true
password_file {folder}/passwords
acl_file {folder}/rights
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true
max_packet_size 100000
max_queued_messages 0
log_dest file {folder}/log
{user}
"""
# Everybody may do everything, but for one corner.
_RIGHTS = """
topic readwrite #
topic deny closed/#
user relay
topic readwrite #
topic deny closed/#
"""


class Mosquitto:
    """Where it listens; how it lives."""

    def __init__(self, binary: str, folder: Path) -> None:
        with socket.socket() as one, socket.socket() as other:
            for probe in (one, other):
                probe.bind(("127.0.0.1", 0))
            self.port, self.tls_port = (int(probe.getsockname()[1]) for probe in (one, other))
        self.certificates = certificates.make(folder)
        user = "user root" if os.geteuid() == 0 else ""
        text = _CONFIGURATION.format(port=self.port, tls_port=self.tls_port, folder=folder, user=user)
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text(text, encoding="utf-8")
        (folder / "rights").write_text(_RIGHTS, encoding="utf-8")
        (folder / "passwords").touch(mode=0o600)
        passwords = [str(_found("mosquitto_passwd")), "-b", str(folder / "passwords"), USER, PASSWORD]
        subprocess.run(passwords, check=True, capture_output=True)
        self._command = [binary, "-c", str(self._configuration)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"mqtts://127.0.0.1:{self.tls_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        # It must not outlive the tests, however they end.
        tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self._process = subprocess.Popen([*tied, *self._command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers, seconds=20, what="mosquitto answers")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)

    def stop(self) -> None:
        """It writes down its sessions."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)

    def keep_sessions(self) -> None:
        """From the next start on, over proper ends: with rights to look up mosquitto 2.0 forgets subscriptions then.

        They are written down at the end alone, for what is done after each change takes the longer the more there is.
        """
        text = self._configuration.read_text(encoding="utf-8")
        kept = [line for line in text.splitlines() if not line.startswith(("acl_file", "autosave"))]
        self._configuration.write_text("\n".join(kept), encoding="utf-8")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _found(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _binary() -> str:
    """Skip where a newcomer has no mosquitto; fail where one was promised."""
    found = _found("mosquitto")
    if found is None or _found("mosquitto_passwd") is None:
        missing("mosquitto", "install the package mosquitto")
    return str(found)


@pytest.fixture
def mosquitto() -> Iterator[Mosquitto]:
    """One for each test: it starts at once, and some tests kill it."""
    binary = _binary()
    with tempfile.TemporaryDirectory(prefix="trickle-mosquitto-") as made:
        broker = Mosquitto(binary, Path(made))
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()
