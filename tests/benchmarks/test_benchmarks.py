"""Oracle: the benchmarks' own comparison, which ends a run with an error when a result is wrong. What is tested is
that small runs come to their end, and that their JSON is what programs were promised; never how fast anything is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.__main__ import main
from benchmarks.relay.pace import latencies
from trickle.embedded import Server

ROW_KEYS = {"median_ms", "min_ms", "max_ms", "samples"}


def run(server: Server, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code = main([*arguments, "--json", "--postgres-url", server.url()])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    report: dict[str, Any] = json.loads(captured.out)
    return report


def check_schema(report: dict[str, Any], name: str) -> None:
    assert set(report) == {"benchmark", "environment", "rows", "goals"}
    assert report["benchmark"] == name
    assert {"postgresql", "rows", "rounds", "cpus", "settings"} <= set(report["environment"])
    assert all(set(row) >= ROW_KEYS for row in report["rows"])
    assert all(row["samples"] >= 5 for row in report["rows"])
    for goal in report["goals"]:
        assert set(goal) == {"name", "value", "unit", "goal", "met"}
        assert goal["met"] in (True, False, None)
        assert goal["value"] is None or isinstance(goal["value"], int | float)


@pytest.mark.slow
def test_refresh_compares_every_shape_in_every_way(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "refresh", "--rows", "400")
    check_schema(report, "refresh")
    measured = {(row["shape"], row["changed"], row["contender"]) for row in report["rows"]}
    for shape in ("scan", "filter", "agg5", "agg10k", "join", "join_agg"):
        for changed in ("100 rows", "1 %", "10 %"):
            for contender in ("differential", "floor", "refresh", "full", "concurrently"):
                assert (shape, changed, contender) in measured
        assert (shape, "nothing", "differential") in measured


def test_a_choice_of_shapes(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "refresh", "--quick", "--rows", "200", "--shapes", "agg5")
    assert {row["shape"] for row in report["rows"]} == {"agg5", "every"}
    by_name = {goal["name"]: goal for goal in report["goals"]}
    assert by_name["agg5: 1 % changed, times the hand-written apply"]["met"] is None, "stated for 1 000 000 rows"
    assert by_name["nothing changed, round trips"] == {
        "name": "nothing changed, round trips",
        "value": 1.0,
        "unit": "",
        "goal": "at most 2",
        "met": True,
    }


@pytest.mark.full
def test_capture_measures_single_rows_bulks_and_writers(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "capture", "--rows", "1000")
    check_schema(report, "capture")
    measured = {(row["what"], row["table"]) for row in report["rows"]}
    assert {("single INSERT", "captured"), ("bulk of 10000 DELETE", "plain"), ("8 writers", "captured")} <= measured


def test_operators_are_measured_at_two_sizes(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "operators", "--rows", "2000", "--shapes", "filter,first groups,rank of all")
    check_schema(report, "operators")
    measured = {(row["operator"], row["group_rows"], row["changed"]) for row in report["rows"]}
    assert {("filter", None, 10), ("first groups", 10, 1000), ("first groups", 1000, 10)} <= measured
    judged = {goal["name"].split(",")[0] for goal in report["goals"]}
    assert judged == {"filter", "first groups"}, "what looks at all rows has no goal"
    assert all(goal["met"] is None for goal in report["goals"]), "stated for more rows"


@pytest.mark.full
def test_immediate_measures_statements_and_writers(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "immediate", "--rows", "1000")
    check_schema(report, "immediate")
    measured = {(row["what"], row["table"]) for row in report["rows"]}
    assert {("single UPDATE", "immediate"), ("bulk INSERT", "plain"), ("8 writers", "captured")} <= measured


def test_an_unknown_shape_is_refused(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refresh", "--shapes", "circle", "--postgres-url", server.url()]) == 1
    assert "no such shape: circle" in capsys.readouterr().err


def test_a_median_of_fewer_than_five_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["refresh", "--rounds", "3"])
    assert "fewer than 5" in capsys.readouterr().err


@pytest.mark.full
def test_failover_measures_what_is_without_an_owner(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "failover", "--kills", "1")
    assert {row["what"] for row in report["rows"]} == {"kill -9", "lock session terminated", "SIGSTOP"}, (
        "a server that is given is not restarted"
    )
    assert all(row["kills"] == 1 and 0 < row["held_p50"] == row["held_max"] for row in report["rows"])
    assert {goal["met"] for goal in report["goals"]} == {None}, "stated for 100 kills of each kind"


def test_a_restore_is_measured_in_every_situation(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "restore", "--rows", "2000")
    check_schema(report, "restore")
    measured = {(row["what"], row["before"]) for row in report["rows"]}
    assert {("restore", "empty"), ("restore", "1 % changed"), ("restore", "the same"), ("snapshot", "–")} <= measured
    assert {goal["met"] for goal in report["goals"]} == {None}, "stated for 1 000 000 rows"


@pytest.mark.full
def test_latency_is_read_from_both_commits(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "latency", "--seconds", "2", "--shapes", "rate_100,diamond")
    rows = {(row["what"], row["wake"]): row for row in report["rows"]}
    assert rows.keys() == {("rate_100", "on"), ("rate_100", "off"), ("diamond", "on")}
    assert all(0 < row["p50_ms"] <= row["p99_ms"] <= row["max_ms"] for row in rows.values())
    assert rows["rate_100", "on"]["commits"] >= 150
    assert {goal["met"] for goal in report["goals"]} == {None}, "stated for 30 seconds"


@pytest.mark.full
def test_scale_tells_deciding_from_doing(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "scale", "--tables", "5,20", "--seconds", "2")
    rows = {(row["tables"], row["active"]): row for row in report["rows"]}
    assert {(5, 0), (20, 0), (20, 2)} <= rows.keys()
    assert rows[20, 2]["refreshes"] > 0 and rows[20, 0]["refreshes"] == 0
    assert rows[20, 0]["parent_mb"] > 10
    assert {goal["met"] for goal in report["goals"]} == {None}, "stated for 10 000 stream tables"


@pytest.mark.full
def test_the_pool_is_drawn(server: Server, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plot = tmp_path / "pool.svg"
    report = run(server, capsys, "pool", "--quick", "--plot", str(plot))
    assert [row["workers"] for row in report["rows"]] == [2, 4]
    assert all(row["refreshes_per_s"] > 0 for row in report["rows"])
    lines = [element for element in ElementTree.parse(plot).iter() if element.tag.endswith("polyline")]
    assert len(lines) == 4, "use and queue of each size"
    assert all(len(line.attrib["points"].split()) >= 3 for line in lines)


@pytest.mark.full
def test_many_tenants_are_measured_on_a_server_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tenants", "--quick", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    found = {row["what"]: row for row in report["rows"]}
    assert {"promote", "cold tick", "sweep", "commit to attempt, cold schema"} <= found.keys()
    assert found["connections of tenants"]["value"] <= 5 * 7


def test_jobs_are_measured_beside_a_bare_loop(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "jobs", "--quick")
    assert {(row["what"], row["batch"]) for row in report["rows"]} >= {("enqueue 1", 1), ("drain", 10), ("drain", 100)}
    assert all(row["per_second"] > 0 for row in report["rows"])
    assert {goal["met"] for goal in report["goals"]} == {None}, "stated for more jobs"


@pytest.mark.full
def test_the_relay_is_measured_beside_a_bare_loop_in_both_directions(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(server, capsys, "relay", "--quick", "--shapes", "file,drain")
    found = {(row["what"], row["who"]) for row in report["rows"]}
    contenders = ("bare loop", "relay, 1 process", "relay, 2 processes")
    assert found == {(what, who) for what in ("out", "in") for who in contenders}
    assert all(row["per_second"] > 0 for row in report["rows"])


def test_the_relay_is_timed_from_end_to_end(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(server, capsys, "relay", "--quick", "--shapes", "file,paced")
    assert {row["what"]: row["messages"] for row in report["rows"]} == {"out, paced": 1000, "in, paced": 1000}
    assert all(0 < row["p50_ms"] <= row["p99_ms"] for row in report["rows"])


def test_a_message_has_arrived_when_so_many_were_seen() -> None:
    assert latencies([1.0, 2.0, 2.5], [(1.5, 0), (2.25, 1), (3.0, 3)]) == [500.0, 1000.0, 1250.0]


def test_a_part_of_the_relay_benchmark_that_there_is_not(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["relay", "--quick", "--shapes", "natz", "--postgres-url", server.url()]) != 0
    assert "natz: there are nats, redis, kafka" in capsys.readouterr().err
