"""What lies in deploy/: its documents, the queries of its dashboards and rules, the commands that it shows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.repository import ROOT

DEPLOY = ROOT / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
SCRAPES = sorted((DEPLOY / "prometheus").glob("*.yml"))
MANIFESTS = sorted((DEPLOY / "kubernetes").rglob("*.yaml"))


def documents(path: Path) -> list[Any]:
    """Of a file in YAML."""
    return [found for found in yaml.safe_load_all(path.read_text(encoding="utf-8")) if found is not None]


def document(path: Path) -> Any:
    (only,) = documents(path)
    return only


def rules(path: Path) -> list[dict[str, Any]]:
    return [rule for group in document(path)["groups"] for rule in group["rules"]]


def dashboard(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and where it stands."""

    where: str
    text: str


def queries() -> list[Query]:
    """Of all rules, panels and variables; those of dashboards once for each value of a variable in a name."""
    found = [Query(f"{path.name}: {_name(rule)}", rule["expr"]) for path in RULES for rule in rules(path)]
    for path in DASHBOARDS:
        board = dashboard(path)
        shown = [(p["title"], t["expr"]) for p in board["panels"] for t in p.get("targets", ())]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
                shown.append((variable["name"], f"group by ({label}) ({metric})"))
        for title, text in shown:
            found += [Query(f"{path.name}: {title}", spoken) for spoken in _spoken(board, text)]
    return found


def _name(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule.get("record"))


def _spoken(board: dict[str, Any], text: str) -> Iterator[str]:
    """With each value of the variables that stand in names, `${…}`; those in strings, `"$…"`, may have any."""
    for variable in board["templating"]["list"]:
        word = "${" + variable["name"] + "}"
        if word in text:
            for value in variable["query"].split(","):
                yield from _spoken(board, text.replace(word, value))
            return
    yield text


def commands(text: str) -> list[list[str]]:
    """The command lines of `trickle` that stand in a text, behind a prompt, a path or a mark of a comment."""
    joined = text.replace("\\\n", " ")
    found = re.findall(r"^[ \t]*(?:[#;$] *|ExecStart=)?(?:\S*/bin/)?trickle (.+)$", joined, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]
