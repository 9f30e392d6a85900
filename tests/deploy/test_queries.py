"""Dashboards and rules ask for what is exported, by its names and labels. Oracle: the registries that the code builds.

Lies it would catch: a metric that was renamed and whose panel is empty since then; an alert that groups by a label
which nothing has, and never fires; a printed query that is not the one in the dashboard.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from seeds.pages import PAGES
from support.deployed import DASHBOARDS, RULES, SCRAPES, Query, dashboard, document, queries, rules
from support.exported import NAMESPACES, exported
from support.promql import Missing, labels, metrics, missing

QUERIES = queries()
# The printed heatmap groups a counter by the bound of a bucket, which it has not: PromQL ignores that.
PRINTED_WITHOUT_MEANING = Missing(frozenset({"pg_trickle_refresh_failures_total"}), "le")


def renaming() -> dict[str, set[tuple[str, str]]]:
    """What each scrape job takes from its targets under another name."""
    found = {}
    for path in SCRAPES:
        for job in document(path)["scrape_configs"]:
            steps = job.get("metric_relabel_configs", ())
            assert all((s["source_labels"], s["target_label"]) == (["__name__"], "__name__") for s in steps)
            found[job["job_name"]] = {(step["regex"], step["replacement"]) for step in steps}
    return found


def known() -> dict[str, frozenset[str]]:
    """Everything that can be asked for."""
    there = exported()
    there |= {new: there[old] for pairs in renaming().values() for old, new in pairs}
    for path in RULES:
        there |= {rule["record"]: frozenset() for rule in rules(path) if "record" in rule}
    return there | {"up": frozenset()}


KNOWN = known()


def test_what_each_worker_says_is_added_up_under_its_own_name() -> None:
    """Wherever workers are scraped, and by the rule that the printed panel needs."""
    (record,) = (rule for path in RULES for rule in rules(path) if "record" in rule)
    of_workers = {job: pairs for job, pairs in renaming().items() if job not in ("trickle-relay", "trickle-supervisor")}
    assert len(of_workers) == 4
    for job, pairs in of_workers.items():
        ((name, of_each),) = pairs
        assert (record["record"], record["expr"]) == (name, f"sum({of_each})"), job


def test_there_is_something_to_look_at() -> None:
    assert len(QUERIES) > 100
    assert {query.where.partition(":")[0] for query in QUERIES} == {path.name for path in (*RULES, *DASHBOARDS)}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
def test_it_asks_for_what_is_exported(query: Query) -> None:
    assert metrics(query.text)
    assert not missing(query.text, KNOWN) - {PRINTED_WITHOUT_MEANING}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("rate(pg_trickle_refreshes[5m])", "a counter ends in _total"),
        ("absent(pg_trickle_version)", "it is called pg_trickle_info"),
        ("sum by (tenant) (pg_trickle_supervisor_hot_tenants)", "no label for a tenant"),
        ('pg_tide_pipeline_healthy{direction="forward"}', "it has no direction"),
        ("pg_trickle_members * on (db_name) pg_trickle_active_workers", "members are of no database"),
        ("sum by (name) (max by (db_name) (pg_trickle_owned))", "the inner one has dropped it"),
        ("histogram_quantile(0.9, sum(rate(pg_trickle_job_duration_seconds_bucket[5m])))", "the bounds are gone"),
    ],
)
def test_what_is_not_exported_is_found(wrong: str, why: str) -> None:
    assert missing(wrong, KNOWN), why


def test_texts_of_alerts_name_labels_that_their_queries_leave() -> None:
    """What an aggregate drops is empty in the message."""
    for path in RULES:
        for rule in rules(path):
            said = set(re.findall(r"\$labels\.(\w+)", " ".join(rule.get("annotations", {}).values())))
            assert said <= labels(rule["expr"], KNOWN), rule


def test_what_is_exported_is_shown() -> None:
    """A metric that no panel shows is one that nobody will see."""
    shown = {name for query in QUERIES for name in metrics(query.text)}
    families = {name for name in KNOWN if not name.endswith(("_sum", "_count"))}
    # Another name of a figure that is shown, for dashboards of others.
    assert families - shown == {"pg_tide_relay_pipeline_healthy"}


def test_every_namespace_of_supervisors_is_one_of_the_dashboard() -> None:
    (board,) = (dashboard(path) for path in DASHBOARDS if path.stem == "tenants")
    (variable,) = (known for known in board["templating"]["list"] if known["name"] == "namespace")
    assert variable["query"].split(",") == list(NAMESPACES)


def test_rules_of_another_namespace_are_made_by_the_printed_command() -> None:
    (path,) = (path for path in RULES if path.stem == "supervisor")
    text = path.read_text(encoding="utf-8")
    pattern, replacement = re.search(r"sed -E 's/(.+?)/(.+?)/g'", text).groups()  # type: ignore[union-attr]
    for rule in rules(path):
        text = re.sub(pattern, replacement, rule["expr"])
        assert not missing(text, KNOWN) and all(name.startswith("rcm_") for name in metrics(text)), rule["alert"]


PRINTED = (PAGES / "tenants.promql").read_text(encoding="utf-8")


@pytest.mark.parametrize("section", PRINTED.split("\n\n"), ids=lambda section: section.partition("\n")[0])
def test_printed_queries_stand_in_the_dashboard(section: str) -> None:
    title, _, text = section.partition("\n")
    title = title.removeprefix("# ")
    text = text.rstrip("\n")
    (path,) = (path for path in DASHBOARDS if path.stem == "stream-tables")
    board = dashboard(path)
    if title == "$tenant":
        found = [variable["definition"] for variable in board["templating"]["list"] if variable["name"] == "tenant"]
    else:
        found = [p["targets"][0]["expr"] for p in board["panels"] if p["title"].startswith(title)]
    assert found == [text]


def test_the_printed_scrape_configuration_is_there() -> None:
    printed = document(PAGES / "tenants.prometheus.yml")["scrape_configs"]
    ours = document(next(path for path in SCRAPES if path.stem == "scrape-databases"))["scrape_configs"]
    assert [{key: job[key] for key in printed[0]} for job in ours] == printed


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Path) -> None:
    """Panels of their own, side by side and not over each other, that ask the source which the reader has chosen."""
    board = dashboard(path)
    panels: list[dict[str, Any]] = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert board["uid"] == f"trickle-{path.stem}"
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and all(0 <= x < 24 for x, _ in cells), panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["targets"]
    variables = {variable["name"] for variable in board["templating"]["list"]}
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{?([a-z]\w*)", text)) == variables
