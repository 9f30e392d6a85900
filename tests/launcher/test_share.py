"""Which databases a launcher looks after, and which it asks for the catalog."""

from __future__ import annotations

from collections import Counter

import pytest

from trickle.errors import ConfigurationError
from trickle.launcher import LauncherOptions
from trickle.launcher.options import patterns, url_of
from trickle.launcher.share import Database, Sight, mine, to_look_into

DATABASES = tuple(Database(n, f"db_{n}", n * 7919) for n in range(100))


def test_launchers_share_the_databases_that_have_the_catalog() -> None:
    sight = Sight(DATABASES, (11, 12, 13))
    with_catalog = range(60)
    shares = {us: mine(sight, with_catalog, us) for us in sight.members}
    assert Counter(map(len, shares.values())) == {20: 3}
    assert frozenset().union(*shares.values()) == {f"db_{n}" for n in with_catalog}


def test_databases_behind_one_key_have_one_launcher() -> None:
    sight = Sight((Database(1, "one", 5), Database(2, "other", 5)), (11, 12, 13))
    assert sorted(mine(sight, {1, 2}, us) for us in sight.members)[-1] == {"one", "other"}


def test_a_session_that_is_no_member_has_no_share() -> None:
    assert mine(Sight(DATABASES, (11,)), range(100), 12) == frozenset()


def test_new_databases_are_asked_at_once_and_all_now_and_then() -> None:
    sight = Sight((Database(1, "known", 1), Database(2, "new", 2), Database(3, "wanted", 3, is_wanted=True)), (11,))
    assert [d.name for d in to_look_into(sight, {1: True}, is_time=False)] == ["new"]
    assert [d.name for d in to_look_into(sight, {1: True}, is_time=True)] == ["known", "new"]


@pytest.mark.parametrize(
    ("text", "meant", "others"),
    [
        ("app", ["app"], ["apple", "App", ""]),
        ("app,tenant_*", ["app", "tenant_1", "tenant_"], ["tenants", "my app"]),
        ("*", ["", "any thing", "ä"], []),
        ("[ab]?", ["a1", "b2"], ["c1", "a"]),
    ],
)
def test_names_and_patterns(text: str, meant: list[str], others: list[str]) -> None:
    options = LauncherOptions(url="", run=lambda _, __: 0, patterns=patterns(text))
    assert all(options.is_meant(name) for name in meant)
    assert not any(options.is_meant(name) for name in others)


def test_no_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no database is named"):
        LauncherOptions(url="", run=lambda _, __: 0, patterns=patterns(" , "))


def test_the_address_of_another_database() -> None:
    assert "dbname='ten ant'" in url_of("postgresql://u@h:5/home?sslmode=disable", "ten ant")
