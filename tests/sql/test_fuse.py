"""The fuse: too many pending changes stop one stream table, with all of them still there, until somebody decides.

Lies it would catch: a fuse that counts what was consumed long ago; one that blows again right after it was reset; a
scheduled refresh of a blown table that counts as a failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import InvalidParameterValue, ObjectNotInPrerequisiteState
from support.databases import Database

from trickle import connect

Conn = psycopg.Connection[Any]


@pytest.fixture
def guarded(db: Database) -> Iterator[Conn]:
    """A stream table of sums with a fuse of ten changes, and one without."""
    with db.connect() as conn:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
        with connect(db.url) as client:
            for name in ("st", "free"):
                client.create_stream_table(name, "SELECT sum(v) AS s FROM source", refresh_mode="DIFFERENTIAL")
        conn.execute("SELECT pgtrickle.alter_stream_table('st', fuse => 'on', fuse_ceiling => 10)")
        yield conn


def one(conn: Conn, question: str) -> Any:
    row = conn.execute(question.encode()).fetchone()
    return row[0] if row else None


def scheduled(conn: Conn, name: str = "st") -> str:
    of = f"(SELECT pgt_id FROM pgtrickle.pgt_stream_tables WHERE pgt_name = '{name}')"
    return str(one(conn, f"SELECT action FROM pgtrickle._refresh({of}, 'SCHEDULER')"))


def write(conn: Conn, rows: int) -> None:
    conn.execute(
        "INSERT INTO source SELECT g, 1 FROM (SELECT coalesce(max(id), 0) FROM source) m(m),"
        " generate_series(m + 1, m + %s) g",
        (rows,),
    )


def fuse(conn: Conn) -> tuple[Any, ...]:
    row = conn.execute(
        "SELECT fuse_state, effective_ceiling FROM pgtrickle.fuse_status() WHERE stream_table = 'public.st'"
    ).fetchone()
    assert row is not None
    return row


def blow(conn: Conn) -> None:
    write(conn, 11)
    assert scheduled(conn) == "SKIPPED"


def test_it_blows_above_its_ceiling_and_stops_one_table_only(guarded: Conn, db: Database) -> None:
    for _ in range(3):
        write(guarded, 10)
        assert scheduled(guarded) == "DIFFERENTIAL", "what was consumed counts no more"
    with db.connect() as listener:
        listener.execute("LISTEN pgtrickle_alert")
        blow(guarded)
        told = [json.loads(note.payload) for note in listener.notifies(timeout=5, stop_after=1)]
    assert [(n["event"], n["st"], n["pending"], n["ceiling"]) for n in told] == [("fuse_blown", "public.st", 11, 10)]
    assert fuse(guarded) == ("blown", 10)
    assert one(guarded, "SELECT status FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'st'") == "SUSPENDED"
    assert scheduled(guarded, "free") == "DIFFERENTIAL"
    assert scheduled(guarded) == "NO_DATA", "it was given out just before"
    assert one(guarded, "SELECT consecutive_errors FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'st'") == 0
    assert one(guarded, "SELECT s FROM st") == 30


def test_apply_lets_what_is_pending_through_once(guarded: Conn) -> None:
    blow(guarded)
    guarded.execute("SELECT pgtrickle.reset_fuse('st')")
    assert scheduled(guarded) == "DIFFERENTIAL"
    assert one(guarded, "SELECT s FROM st") == 11
    assert fuse(guarded) == ("armed", 10)
    blow(guarded)
    guarded.execute("SELECT pgtrickle.resume_stream_table('st')")
    assert scheduled(guarded) == "DIFFERENTIAL"
    assert one(guarded, "SELECT s FROM st") == 22


def test_reinitialize_computes_everything_anew(guarded: Conn) -> None:
    blow(guarded)
    guarded.execute("SELECT pgtrickle.reset_fuse('st', 'reinitialize')")
    assert scheduled(guarded) == "FULL"
    assert one(guarded, "SELECT s FROM st") == 11


def test_skip_changes_leaves_them_out_for_this_table_only(guarded: Conn) -> None:
    blow(guarded)
    notices: list[str] = []
    guarded.add_notice_handler(lambda note: notices.append(str(note.message_primary)))
    guarded.execute("SELECT pgtrickle.reset_fuse('st', 'skip_changes')")
    assert notices == ["stream table public.st differs from its query: the changes pending were left out"]
    assert fuse(guarded) == ("armed", 10)
    assert scheduled(guarded) == "NO_DATA"
    write(guarded, 1)
    assert scheduled(guarded) == "DIFFERENTIAL"
    assert one(guarded, "SELECT s FROM st") == 1
    assert scheduled(guarded, "free") == "DIFFERENTIAL"
    assert one(guarded, "SELECT s FROM free") == 12


def test_by_hand_it_does_not_matter(guarded: Conn) -> None:
    write(guarded, 100)
    guarded.execute("SELECT pgtrickle.refresh_stream_table('st')")
    assert one(guarded, "SELECT s FROM st") == 100


def test_auto_learns_what_is_usual(guarded: Conn) -> None:
    guarded.execute("UPDATE pgtrickle.pgt_stream_tables SET fuse_ceiling = NULL, fuse_mode = 'auto'")
    assert fuse(guarded) == ("armed", None)
    for rows in (1000, 1200, 800, 1000, 1000):
        write(guarded, rows)
        assert scheduled(guarded) == "DIFFERENTIAL"
    ceiling = fuse(guarded)[1]
    assert 1200 < ceiling < 1700, "three standard deviations above the mean of 1000"
    write(guarded, ceiling + 1)
    assert scheduled(guarded) == "SKIPPED"


def test_a_default_for_all(guarded: Conn) -> None:
    guarded.execute("UPDATE pgtrickle.pgt_stream_tables SET fuse_ceiling = NULL")
    write(guarded, 50)
    assert scheduled(guarded) == "DIFFERENTIAL", "no ceiling, no fuse"
    guarded.execute("SELECT pgtrickle.set_config('fuse_default_ceiling', '20')")
    write(guarded, 21)
    assert scheduled(guarded) == "SKIPPED"


def test_bad_input(guarded: Conn) -> None:
    with pytest.raises(InvalidParameterValue, match="is not blown"):
        guarded.execute("SELECT pgtrickle.reset_fuse('st')")
    with pytest.raises(InvalidParameterValue, match="action"):
        guarded.execute("SELECT pgtrickle.reset_fuse('st', 'forget')")


def test_repair_computes_anew_what_was_left_out(guarded: Conn, db: Database) -> None:
    blow(guarded)
    guarded.execute("SELECT pgtrickle.reset_fuse('st', 'skip_changes')")
    with db.connect(autocommit=False) as other:
        other.execute("SELECT pgtrickle.refresh_stream_table('st')")
        other.execute("SELECT FROM pgtrickle.pgt_frontiers FOR NO KEY UPDATE")
        with pytest.raises(ObjectNotInPrerequisiteState, match="is being refreshed"):
            guarded.execute("SELECT pgtrickle.repair_stream_table('st')")
        other.rollback()
    said = one(guarded, "SELECT pgtrickle.repair_stream_table('st')")
    assert said == "public.st was active; its next refresh computes it in full"
    assert scheduled(guarded) == "FULL"
    assert one(guarded, "SELECT s FROM st") == 11
    blow(guarded)
    assert one(guarded, "SELECT pgtrickle.repair_stream_table('st')").startswith(
        "public.st was suspended with its fuse"
    )
    assert scheduled(guarded) == "FULL"
    assert one(guarded, "SELECT s FROM st") == 22
