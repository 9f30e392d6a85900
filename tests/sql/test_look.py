"""A look whether anything was captured beyond a frontier says the same as the rule for one row, `is_new`.

Lies it would catch: a quick question that overlooks somebody who was in flight, or what the refreshing transaction
wrote itself later; one that takes what was consumed for new.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Connection, one

XIDS = st.integers(90, 110)
ROWS = st.lists(st.tuples(XIDS, st.integers(1, 4)), max_size=3)
_MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
_IS_NEW = "pgtrickle.is_new(x.xid, x.seq, f.snapshot, f.own_xid, f.own_seq)"


@st.composite
def snapshots(draw: st.DrawFn) -> str:
    low = draw(XIDS)
    high = draw(st.integers(low, 111))
    flying = sorted(draw(st.sets(st.integers(low, high - 1), max_size=3))) if high > low else []
    return f"{low}:{high}:{','.join(map(str, flying))}"


def test_a_look_says_what_the_rule_for_one_row_says(orders: Connection) -> None:
    orders.execute("SELECT pgtrickle.create_stream_table('st', 'SELECT customer, amount FROM orders')")
    source, pgt_id = orders.execute("SELECT source_id, pgt_id FROM pgtrickle.pgt_dependencies").fetchone() or (0, 0)
    buffer = f"pgtrickle_changes.changes_{source}"
    answers = set()

    @given(ROWS, ROWS, snapshots(), XIDS, st.integers(1, 4))
    @_MANY
    def agree(
        rows: list[tuple[int, int]], markers: list[tuple[int, int]], snapshot: str, own_xid: int, own_seq: int
    ) -> None:
        orders.execute(f"TRUNCATE {buffer}, pgtrickle_changes.markers".encode())
        for xid, seq in rows:
            orders.execute(
                f"INSERT INTO {buffer} (seq, xid, weight) VALUES (%s, %s::text::xid8, 1)".encode(), (seq, xid)
            )
        for xid, seq in markers:
            orders.execute(
                "INSERT INTO pgtrickle_changes.markers VALUES (%s, %s, %s::text::xid8, 'TRUNCATE')", (source, seq, xid)
            )
        orders.execute(
            "UPDATE pgtrickle.pgt_frontiers SET snapshot = %s::pg_snapshot, own_xid = %s::text::xid8, own_seq = %s",
            (snapshot, own_xid, own_seq),
        )
        wanted = one(
            orders,
            f"SELECT EXISTS (SELECT FROM {buffer} AS x WHERE {_IS_NEW})"
            f" OR EXISTS (SELECT FROM pgtrickle_changes.markers AS x WHERE {_IS_NEW})"
            f" FROM pgtrickle.pgt_frontiers AS f WHERE pgt_id = {pgt_id}",
        )
        assert one(orders, "SELECT pgtrickle._has_captured(f) FROM pgtrickle.pgt_frontiers AS f") is wanted
        answers.add(wanted)

    agree()
    assert answers == {True, False}
