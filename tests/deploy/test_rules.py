"""The rules of Prometheus: those of the runbook with its thresholds, each tried by its own tool where that is there.

Lies it would catch: a threshold that is not the printed one; an alert that no input makes fire; a rule that the tool
refuses.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.brokers import missing
from support.deployed import RULES, SCRAPES, document, rules

TRIED = Path(__file__).with_name("rules.test.yml")
ALERTS = {rule["alert"]: rule for path in RULES for rule in rules(path) if "alert" in rule}

# The runbook's table and its text: metric, threshold.
PRINTED = [
    ("TricklePromoteSpike", "supervisor_promote_total", None),
    ("TrickleDemoteError", 'supervisor_demote_total{reason="error"}', "> 0"),
    ("TricklePromoteSlow", "supervisor_promote_duration_seconds_bucket", "> 2"),
    ("TrickleEnqueueDrift", "supervisor_enqueue_total", None),
    ("TrickleColdScanSlow", "cold_dispatcher_scan_duration_seconds_bucket", "> 1"),
    ("TrickleColdPromotions", "cold_dispatcher_promotions_total", "> 0"),
    ("TrickleConnectionBudgetExceeded", "connection_budget_ratio", ">= 1"),
]


@pytest.mark.parametrize(("alert", "metric", "threshold"), PRINTED, ids=lambda value: str(value))
def test_printed_thresholds(alert: str, metric: str, threshold: str | None) -> None:
    query = ALERTS[alert]["expr"].strip()
    assert f"pg_trickle_{metric}" in query
    if threshold is not None:
        assert query.endswith(f" {threshold}")
    if "duration" in metric:
        assert query.startswith("histogram_quantile(0.99,")


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    assert len(ALERTS) > 25
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in ("info", "warning", "critical"), name
        assert set(rule["annotations"]) == {"summary", "description", "command"}, name
        assert not re.search(r"[^.]$", rule["annotations"]["description"]), name


def test_names_are_of_one_rule() -> None:
    assert len(ALERTS) == sum("alert" in rule for path in RULES for rule in rules(path))


def test_every_alert_is_seen_to_fire() -> None:
    tried = [one for group in document(TRIED)["tests"] for one in group.get("alert_rule_test", ())]
    assert {one["alertname"] for one in tried if one["exp_alerts"]} == ALERTS.keys()
    assert {(TRIED.parent / name).resolve() for name in document(TRIED)["rule_files"]} == set(RULES)


def promtool(*words: str) -> None:
    binary = shutil.which("promtool")
    if binary is None:
        missing("promtool", "it comes with Prometheus (package prometheus)")
    answer = subprocess.run([binary, *words], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_promtool_takes_them() -> None:
    promtool("check", "rules", *map(str, RULES))


def test_promtool_sees_them_fire() -> None:
    promtool("test", "rules", str(TRIED))


# Debian builds Prometheus without a client for Kubernetes, and then refuses that one.
@pytest.mark.parametrize(
    "path", [path for path in SCRAPES if "kubernetes" not in path.stem], ids=lambda path: path.stem
)
def test_promtool_takes_the_configuration(path: Path) -> None:
    promtool("check", "config", "--syntax-only", str(path))
