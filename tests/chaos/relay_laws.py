"""What has to be true of messages that have arrived, whatever was killed on their way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from chaos.relay_load import Told


def assert_all_and_no_others(arrived: Iterable[Told], sent: Sequence[Told]) -> None:
    """At least once: every message that was committed, and none of a transaction that was not."""
    found, expected = set(arrived), set(sent)
    missing = sorted(expected - found, key=lambda one: (one.key, one.number))
    strangers = sorted(found - expected, key=lambda one: (one.key, one.number))
    assert not missing, f"{len(missing)} of {len(expected)} are lost, first {missing[:5]}"
    assert not strangers, f"{len(strangers)} were never committed, first {strangers[:5]}"


def assert_in_order(arrived: Iterable[Told]) -> None:
    """The first arrivals of each key are in the order of publishing."""
    of_key: dict[str, list[Told]] = defaultdict(list)
    for one in dict.fromkeys(arrived):
        of_key[one.key].append(one)
    for key, firsts in of_key.items():
        turned = [(a, b) for a, b in pairwise(firsts) if a.number > b.number]
        assert not turned, f"{len(turned)} messages of key {key} were overtaken, first {turned[:3]}"


def assert_once(arrived: Iterable[Told]) -> None:
    again = [one for one, times in Counter(arrived).items() if times > 1]
    assert not again, f"{len(again)} arrived more than once, first {again[:5]}"
