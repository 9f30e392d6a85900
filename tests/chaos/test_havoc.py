"""Five workers and three relays, everything that can fail, and a load that never lets up.

Lies it would catch: a claim that two hold or nobody takes up; a change or a message lost or applied twice in some
sequence of failures that no other test thought of; an instance that ends, or never comes back.
Oracle: PostgreSQL; when all is mended every stream table must become equal to its query by itself, and every inbox must
get what the outbox holds, each message once. pg_locks is looked at all the while: no two instances may hold a name.

It runs for TRICKLE_CHAOS_SECONDS, 60 unless told; TRICKLE_CHAOS_SEED repeats a sequence of failures.
"""

from __future__ import annotations

import os
import random
from contextlib import ExitStack

import psycopg
import pytest
from support.server import require_server

from chaos.claimed import KINDS
from chaos.conftest import Start
from chaos.havoc import Havoc, own_server
from chaos.witness import Witness
from trickle.catalog import migrate

SECONDS = float(os.environ.get("TRICKLE_CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("TRICKLE_CHAOS_SEED", "0")) or random.randrange(1, 1_000_000)

pytestmark = [pytest.mark.chaos, pytest.mark.full, pytest.mark.timeout(SECONDS + 600)]


def test_a_group_survives_everything(start_on: Start) -> None:
    require_server()
    with own_server() as server, ExitStack() as stack:
        migrate.init(server.url())
        for kind in KINDS:
            kind.prepare(server.url())
        havoc = Havoc(server, start_on, random.Random(SEED), stack)
        for kind in KINDS:
            for _ in range(kind.instances):
                havoc.start_member(kind)
        havoc.await_all_joined()
        with Witness(server.url(), [kind.held for kind in KINDS]) as witness:
            with ExitStack() as loads:
                for kind in KINDS:
                    loads.enter_context(kind.load(server.url()))
                havoc.run(SECONDS)
            story = f"seed {SEED}: {', '.join(havoc.done)}"
            print(story)
            havoc.await_all_joined()
            with psycopg.connect(server.url(), autocommit=True) as conn:
                for kind in KINDS:
                    kind.assert_settled(conn)
        assert not witness.held_twice, story
        assert witness.samples > SECONDS and witness.seen_held > witness.samples, "it looked, and there was something"
        assert havoc.done.count("promote") == 1
        for member in havoc.members:
            assert member.instance.drain() == 0, story
