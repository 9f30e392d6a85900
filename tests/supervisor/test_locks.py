"""The lock session: keys, counting, what pg_locks shows, and poolers."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import psycopg
import pytest
from support.databases import Database
from support.waiting import until

from trickle.db.locks import LockName, LockSession
from trickle.db.session import connect
from trickle.errors import ConfigurationError, Refused

# Two names that the server's hashtext maps to one number.
TWINS = (LockName("g", "st_69373"), LockName("g", "st_103591"))


@pytest.fixture
def session(db: Database) -> Iterator[LockSession]:
    opened = LockSession(db.url, "test_doorbell")
    yield opened
    opened.close()


def advisory_locks(db: Database) -> list[tuple[int, int]]:
    with db.connect() as conn:
        return conn.execute(
            "SELECT classid::bigint, objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
        ).fetchall()


def test_a_claim_is_what_the_documentation_says(db: Database, session: LockSession) -> None:
    session.take([LockName("blue", "public.revenue")])
    with db.connect() as conn:
        row = conn.execute("SELECT pg_try_advisory_lock(hashtext('blue'), hashtext('public.revenue'))").fetchone()
    assert row == (False,)


def test_only_one_session_holds_a_name(db: Database, session: LockSession) -> None:
    name = LockName("g", "a")
    other = LockSession(db.url)
    assert session.take([name]) == {name}
    assert other.take([name, LockName("g", "b")]) == {LockName("g", "b")}
    session.release([name])
    assert other.take([name]) == {name}
    other.close()


def test_names_with_one_hash_are_counted_by_key(db: Database, session: LockSession) -> None:
    assert session.take(TWINS) == set(TWINS)
    assert len(advisory_locks(db)) == 1
    assert session.is_intact()
    session.release([TWINS[0]])
    other = LockSession(db.url)
    assert other.take([TWINS[0]]) == set(), "the twin still holds the key"
    session.release([TWINS[1]])
    assert advisory_locks(db) == []
    assert other.take(TWINS) == set(TWINS)
    other.close()


def test_taking_twice_and_releasing_once_leaves_nothing(db: Database, session: LockSession) -> None:
    session.take([LockName("g", "a")])
    session.take([LockName("g", "a")])
    session.release([LockName("g", "a")])
    session.release([LockName("g", "a")])
    assert advisory_locks(db) == []


@pytest.mark.parametrize("name", ["", "schöne Tabelle", "x" * 5000, "a'b\"c;--", "🐘"])
def test_names_of_any_length_and_alphabet(session: LockSession, name: str) -> None:
    lock = LockName("Gruppe 'ä'", name)
    assert session.take([lock]) == {lock}
    assert session.is_intact()


def test_a_lost_lock_is_noticed(db: Database, session: LockSession) -> None:
    session.take([LockName("g", "a")])
    assert session.is_intact()
    session._conn.execute("SELECT pg_advisory_unlock_all()")
    assert not session.is_intact()


def test_a_session_ended_by_the_server_is_noticed_without_asking(db: Database, session: LockSession) -> None:
    with db.connect() as conn:
        conn.execute("SELECT pg_terminate_backend(%s, 5000)", (session.backend_pid,))

    def is_noticed() -> bool:
        try:
            session.doorbells()
        except psycopg.OperationalError:
            return True
        return False

    until(is_noticed, seconds=5)
    assert session.is_closed


def test_doorbells_are_heard_and_counted_once(db: Database, session: LockSession) -> None:
    assert session.doorbells() == []
    with db.connect() as conn:
        conn.execute("SELECT pg_notify('test_doorbell', 'members')")
    assert until(session.doorbells, seconds=5) == ["members"]
    assert session.doorbells() == []


def test_a_doorbell_between_two_statements_is_not_lost(db: Database, session: LockSession) -> None:
    with db.connect() as conn:
        conn.execute("SELECT pg_notify('test_doorbell', 'members')")
    session.take([LockName("g", "a")])
    assert until(session.doorbells, seconds=5) == ["members"]


def test_a_doorbell_may_ring_before_the_door_is_open(db: Database) -> None:
    """The answer to LISTEN may bring the first notification with it."""
    done = threading.Event()

    def ring() -> None:
        with db.connect() as conn:
            while not done.is_set():
                conn.execute("SELECT pg_notify('test_doorbell', '')")

    ringer = threading.Thread(target=ring)
    ringer.start()
    try:
        for _ in range(40):
            LockSession(db.url, "test_doorbell").close()
    finally:
        done.set()
        ringer.join()


class Pooler:
    """Stands in front of the server as a pooler does: the start-up answer names a process id of its own."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            behind = socket.socket(socket.AF_UNIX)
            behind.connect(self._target)
            threading.Thread(target=self._copy, args=(client, behind, False), daemon=True).start()
            threading.Thread(target=self._copy, args=(behind, client, True), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket, disguise: bool) -> None:
        try:
            while data := source.recv(65536):
                # BackendKeyData: 'K', length 12, process id, secret (longer from protocol 3.2 on).
                at = data.find(b"K\x00\x00\x00\x0c") if disguise else -1
                if at >= 0:
                    data = data[: at + 5] + struct.pack("!I", 4242) + data[at + 9 :]
                    disguise = False
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()


def test_a_pooler_is_refused_for_locks(db: Database) -> None:
    with db.connect() as conn:
        info = conn.info
        pooler = Pooler(f"{info.host}/.s.PGSQL.{info.port}")
        url = psycopg.conninfo.make_conninfo(
            host="127.0.0.1",
            port=pooler.port,
            dbname=info.dbname,
            user=info.user,
            sslmode="disable",
            gssencmode="disable",
        )
    with pytest.raises(Refused, match="pooler"):
        LockSession(url)
    pooler.close()


@pytest.mark.parametrize("url", ["postgresql://[", "no_such_option=1"])
def test_a_malformed_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="connection string"):
        connect(url)


def test_sessions_are_named(db: Database) -> None:
    with connect(db.url, role="scheduler") as conn:
        assert conn.execute("SHOW application_name").fetchone() == ("pg_trickle_scheduler",)
        assert conn.prepare_threshold is None


def test_a_doorbell_that_comes_with_an_answer_is_heard(db: Database, session: LockSession) -> None:
    """Catches: the server sends both at once, the socket is empty, and nobody wakes up."""
    assert not session.has_rung
    with db.connect() as conn:
        conn.execute("NOTIFY test_doorbell, '7'")
    session.say("pg_trickle_lock")
    assert session.has_rung
    assert session.doorbells() == ["7"]
    assert not session.has_rung
