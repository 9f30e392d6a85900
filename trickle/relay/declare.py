"""Pipelines in a file, YAML or TOML, by name.

    pipelines:
      orders-to-nats:
        outbox: orders
        sink: {type: nats, url: "nats://localhost:4222", subject: "orders.{op}"}
        transform: {filter: "total > `100`"}
      mail-from-kafka:
        inbox: mail
        source: {type: kafka, brokers: "localhost:9092", topic: mail, group_id: mail}

In TOML the same is `[pipelines.orders-to-nats]` and below it `[pipelines.orders-to-nats.sink]`. A file says all about
the pipelines that it names; what they leave out has its default. Mistakes are told all at once, in YAML with their
lines.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from trickle.errors import ConfigurationError
from trickle.relay import problems
from trickle.relay.pipeline import Pipeline, examine_document
from trickle.relay.problems import Misconfigured, Problem, dotted, shown, unknown

_TOP = "pipelines"
Line = Callable[[problems.Path], int | None]


def read_file(path: Path) -> tuple[Pipeline, ...]:
    """The pipelines of a file, in its order.

    Raises:
        ConfigurationError: it cannot be read, or everything that is wrong in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text") from error
    return read_text(text, str(path))


def read_text(text: str, name: str) -> tuple[Pipeline, ...]:
    """The same of a text; the end of the file's name says which language it is in."""
    kind = Path(name).suffix.lower()
    if kind in (".yaml", ".yml"):
        document, line, found = _yaml(text, name)
    elif kind == ".toml":
        document, line, found = _toml(text, name), _no_line, []
    else:
        raise ConfigurationError(f"{name}: the name ends in none of .yaml, .yml and .toml")
    pipelines = _pipelines(document, found)
    if found:
        raise Declared(name, found, line)
    return pipelines


class Declared(Misconfigured):
    """A file with mistakes; each is told with its line where the language gives one."""

    def __init__(self, name: str, found: list[Problem], line: Line) -> None:
        super().__init__(name, found)
        self.message = "\n".join(_told(name, problem, line) for problem in found)
        self.args = (self.message,)


def _told(name: str, problem: Problem, line: Line) -> str:
    number = line(problem.path)
    spot = f"{name}:{number}" if number is not None else name
    keys = dotted(problem.path)
    return f"{spot}: {keys}: {problem.text}" if keys else f"{spot}: {problem.text}"


def _pipelines(document: Any, found: list[Problem]) -> tuple[Pipeline, ...]:
    if not isinstance(document, Mapping):
        found.append(Problem((), f"there is no object with the key {_TOP}"))
        return ()
    found.extend(Problem((str(key),), unknown(str(key), [_TOP])) for key in document if key != _TOP)
    given = document.get(_TOP)
    if not isinstance(given, Mapping):
        text = "is missing" if _TOP not in document else f"{shown(given)} is not an object of pipelines by name"
        found.append(Problem((_TOP,), text))
        return ()
    made: list[Pipeline] = []
    for name, each in given.items():
        if not isinstance(name, str):
            found.append(Problem((_TOP, str(name)), f"the name {shown(name)} is not text: write it in quotes"))
            continue
        pipeline = examine_document(name, each, (_TOP, name), found)
        if pipeline is not None:
            made.append(pipeline)
    return tuple(made)


def _toml(text: str, name: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is not TOML: {error}") from error


def _no_line(path: problems.Path) -> int | None:
    return None


def _yaml(text: str, name: str) -> tuple[Any, Line, list[Problem]]:
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        twice = [] if root is None else list(_twice(root, (), set()))
        document = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        spot = f"{name}:{mark.line + 1}" if mark is not None else name
        raise ConfigurationError(f"{spot}: not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name} is not YAML: {error}") from error
    return document, lambda path: _line(root, path), twice


def _twice(node: yaml.Node, path: problems.Path, seen: set[int]) -> Iterator[Problem]:
    """Keys that stand twice in one object, of which YAML would silently take the last."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _twice(item, (*path, index), seen)
    elif isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            here = (*path, str(key.value))
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in names:
                    yield Problem(here, "stands there twice")
                names.add(key.value)
            yield from _twice(value, here, seen)


def _line(root: yaml.Node | None, path: problems.Path) -> int | None:
    """The line of the key, or of the nearest object around what is missing."""
    node, line = root, 1
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        node, line = found
    return line if root is not None else None


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):
            if key.value == str(step):
                return value, key.start_mark.line + 1
    return None
