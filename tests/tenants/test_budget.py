"""The connection budget: what hot tenants may take of each server, and what cannot be."""

from __future__ import annotations

import pytest

from trickle.errors import ConfigurationError
from trickle.tenants import budget
from trickle.tenants.budget import Budget
from trickle.tenants.kinds import Kinds


def test_the_printed_defaults() -> None:
    assert Budget().connections == 50 * (5 + 2) == 350


@pytest.mark.parametrize("levers", [(0, 5, 2), (1, -1, 2), (1, 5, 1)])
def test_levers_that_cannot_be(levers: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigurationError, match="at least"):
        Budget(*levers)


def test_what_works_beside_jobs_has_connections_too() -> None:
    """One session looks, four are a worker's and seven a relay's."""
    assert Budget(50, 5, 2, Kinds(refreshes=True)).connections == 50 * (5 + 2 + 1 + 4)
    whole = Budget(1, 5, 2, Kinds(refreshes=True, pipelines=True))
    assert whole.per_tenant == 5 + 2 + 1 + 4 + 7
    with pytest.raises(ConfigurationError, match=r"1 × \(5 \+ 2 \+ 12\)"):
        budget.assert_possible(whole, {"a": 19}, {"a": 30})


def test_a_server_is_asked_for_no_more_than_it_has_tenants() -> None:
    urls = [
        "postgresql://u@one/a",
        "postgresql://u@one/b",
        "host=other port=5433 dbname=c",
        *["postgresql://u@big/x"] * 60,
    ]
    wanted = budget.most_on_each(Budget(), urls)
    assert wanted == {"one:": 14, "other:5433": 7, "big:": 350}


def test_the_ratio_is_that_of_the_fullest_server_and_of_all_supervisors() -> None:
    wanted = {"a": 350, "b": 70}
    assert budget.ratio(wanted, {"a": 428, "b": 100}, 1) == pytest.approx(350 / 428)
    assert budget.ratio(wanted, {"a": 428, "b": 100}, 2) == pytest.approx(700 / 428)
    assert budget.ratio(wanted, {}, 1) == 0


def test_what_is_impossible_is_refused_with_what_would_fit() -> None:
    budget.assert_possible(Budget(), {"a": 350}, {"a": 362})
    with pytest.raises(ConfigurationError, match="hot_pool_max to 12 at most"):
        budget.assert_possible(Budget(), {"a": 350}, {"a": 97})


def test_databases_are_told_apart() -> None:
    assert budget.database_of("postgresql://u:p@h:1/a") == budget.database_of("host=h port=1 dbname=a user=other")
    assert budget.database_of("postgresql://u@h/a") != budget.database_of("postgresql://u@h/b")
    assert budget.database_of("postgresql://u@h") == ("h:", "u")
