"""The ring: whoever dies, and how many at once, survivors notice by waiting alone, without ever looking at a clock.

The walk lets the deaths of any set of members reach the server in any order, between any two steps of the others.
It would catch: a dead member that nobody watches, a survivor that goes on watching the dead, one that is never told.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trickle.supervisor.ring import must_tell, successor

NAMES = st.sets(st.text("abcdefgh", min_size=1, max_size=3), min_size=1, max_size=9)


def test_alone_there_is_nobody_to_watch() -> None:
    assert successor(["a"], "a") is None
    assert successor([], "a") is None


@given(NAMES)
def test_everyone_is_watched_by_exactly_one(names: set[str]) -> None:
    watched = [successor(names, name) for name in names]
    assert sorted(name for name in watched if name is not None) == (sorted(names) if len(names) > 1 else [])


@given(st.data())
def test_every_death_is_noticed_by_a_survivor(data: st.DataObject) -> None:
    names = sorted(data.draw(NAMES))
    dying = data.draw(st.permutations(data.draw(st.lists(st.sampled_from(names), unique=True))))
    survivors = [name for name in names if name not in dying]
    locked = set(names)  # whose membership lock the server still shows
    seen = {name: set(names) for name in survivors}
    rung: set[str] = set()  # who has a doorbell to answer
    pending = list(dying)
    while True:
        granted = [name for name in survivors if (peer := successor(seen[name], name)) and peer not in locked]
        steps = [("release", name) for name in pending[:1]]
        steps += [("granted", name) for name in granted] + [("rung", name) for name in sorted(rung)]
        if not steps:
            break
        what, who = data.draw(st.sampled_from(steps))
        if what == "release":
            locked.discard(pending.pop(0))
            continue
        rung.discard(who)
        if must_tell(seen[who], locked, who):
            rung.update(survivors)
        seen[who] = set(locked)
    assert all(seen[name] == set(survivors) for name in survivors)
