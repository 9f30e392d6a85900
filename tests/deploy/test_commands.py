"""Every command line of Trickle in deploy/ and on its pages is one that the command takes: verbs, arguments, flags.

Lies it would catch: a unit that does not start after a flag was renamed; a page that shows a verb which is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import typer.main
from support.deployed import DEPLOY, MANIFESTS, RULES, commands, document, documents, rules
from support.repository import ROOT

from trickle.cli.main import app

COMMAND = typer.main.get_command(app)
PAGES = ("deploying.md", "hosted.md", "high-availability.md", "many-databases.md", "tenants.md", "relay.md")


def shown() -> Iterator[tuple[str, list[str]]]:
    """Where, and the words after `trickle`."""
    for path in sorted([*DEPLOY.rglob("*"), *(ROOT / "docs" / page for page in PAGES)]):
        if path.is_file() and path.suffix not in (".json", ".pyc"):
            yield from ((path.name, words) for words in commands(path.read_text(encoding="utf-8")))
    for path in RULES:
        for rule in rules(path):
            for words in commands(rule.get("annotations", {}).get("command", "")):
                yield path.name, words
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (default,) = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    yield "Dockerfile", json.loads(default)
    for name, service in document(DEPLOY / "compose.yaml")["services"].items():
        if service["image"] == "trickle":
            yield f"compose.yaml {name}", service["command"]
    for path in MANIFESTS:
        for found in documents(path):
            if found["kind"] == "Deployment":
                pod = found["spec"]["template"]["spec"]
                for container in (*pod["initContainers"], *pod["containers"]):
                    yield f"{path.name} {container['name']}", container["args"]


SHOWN = list(shown())


class Wrong(Exception):
    """A command line that is not taken, and why."""


def parse(words: list[str]) -> None:
    """As far as the command goes without doing anything: verbs, arguments and flags, of the verb that is meant."""
    command, context, rest = COMMAND, None, words
    try:
        context = command.make_context("trickle", list(rest))
        while hasattr(command, "resolve_command"):
            rest = [*getattr(context, "_protected_args", ()), *context.args]
            if not rest and command.invoke_without_command:
                return
            name, command, rest = command.resolve_command(context, rest)
            context = command.make_context(name, rest, parent=context)
    except Exception as error:
        # Typer has brought its own copy of click since 0.20, so the class of its errors has two names.
        raise Wrong(getattr(error, "message", None) or repr(error)) from error


@pytest.mark.parametrize(("where", "words"), SHOWN, ids=[f"{where}: {' '.join(words)}" for where, words in SHOWN])
def test_it_is_taken(where: str, words: list[str]) -> None:
    parse(words)


@pytest.mark.parametrize(
    "wrong",
    ["worker --no-such-flag", "relais", "supervisor explain", "supervisor hot --hot-pool-max=5", "worker --workers"],
)
def test_what_is_not_taken_is_found(wrong: str) -> None:
    with pytest.raises(Wrong):
        parse(wrong.split())


def test_there_is_something_to_look_at() -> None:
    verbs = {words[0] for _, words in SHOWN}
    assert {"init", "worker", "relay", "supervisor", "jobs", "status", "doctor"} <= verbs
    places = {where.partition(" ")[0] for where, _ in SHOWN}
    assert {"Dockerfile", "compose.yaml", "pgbouncer.ini", "worker.yaml", "supervisor.yml"} <= places
    assert sum(place.endswith(".service") for place in places) == 3
