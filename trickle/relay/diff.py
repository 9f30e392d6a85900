"""What has to be done so that the catalog says what a file says. Pure: a plan, and how it is shown.

Pipelines are told apart by their names. What the catalog has and the file has not is left alone unless the plan is to
prune. Secrets are not shown: of what is marked as one, and of addresses with a password, only references are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trickle.relay.options import Option
from trickle.relay.pipeline import ForwardPipeline, Pipeline
from trickle.relay.problems import Path, dotted, shown
from trickle.relay.secrets import is_safe_to_show
from trickle.relay.writing import leaves

_LONGEST = 300  # characters of a value


class Deed(StrEnum):
    """What happens to a pipeline."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    KEEP = "keep"  # the file does not name it
    NOTHING = "unchanged"


@dataclass(frozen=True, slots=True)
class Difference:
    """One key whose value becomes another one, both fit to be shown; None where there is none."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one pipeline; `wanted` is what it shall be, for creating and changing."""

    deed: Deed
    name: str
    wanted: Pipeline | None = None
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps: those for the pipelines of the file in its order, then those for the others by name."""

    steps: tuple[Step, ...]

    @property
    def changes_nothing(self) -> bool:
        return all(step.deed in (Deed.NOTHING, Deed.KEEP) for step in self.steps)


def plan(current: Mapping[str, Pipeline | None], wanted: Iterable[Pipeline], *, prune: bool = False) -> Plan:
    """How to get from one to the other. `current` has None for what is stored and cannot be read: it is replaced."""
    named = {pipeline.name: pipeline for pipeline in wanted}
    steps = [_step(current, pipeline) for pipeline in named.values()]
    others = Deed.DELETE if prune else Deed.KEEP
    steps += [Step(others, name) for name in sorted(current.keys() - named.keys())]
    return Plan(tuple(steps))


def differences(before: Pipeline, after: Pipeline) -> tuple[Difference, ...]:
    """The keys in which two pipelines differ, in the order of the documentation; defaults count as values."""
    old, new = dict(_told(before)), dict(_told(after))
    keys = [*new, *(key for key in old if key not in new)]
    return tuple(
        _difference(key, old.get(key), new.get(key)) for key in keys if not _is_same(old.get(key), new.get(key))
    )


def render(made: Plan) -> str:
    """The plan as people read it: what is unchanged is only counted."""
    lines = [line for step in made.steps for line in _lines(step)]
    counts = Counter(step.deed for step in made.steps)
    words = {Deed.CREATE: "to create", Deed.CHANGE: "to change", Deed.DELETE: "to delete", Deed.NOTHING: "unchanged"}
    told = [f"{counts[deed]} {word}" for deed, word in words.items() if counts[deed]]
    if counts[Deed.KEEP]:
        told.append(f"{counts[Deed.KEEP]} not in the file")
    return "\n".join([*lines, ", ".join(told) or "no pipelines"])


@dataclass(frozen=True, slots=True)
class _Leaf:
    value: Any
    about: Option


def _step(current: Mapping[str, Pipeline | None], wanted: Pipeline) -> Step:
    if wanted.name not in current:
        return Step(Deed.CREATE, wanted.name, wanted)
    before = current[wanted.name]
    if before is None:
        return Step(Deed.CHANGE, wanted.name, wanted, (Difference("", "what cannot be read", "what the file says"),))
    found = differences(before, wanted)
    return Step(Deed.CHANGE, wanted.name, wanted, found) if found else Step(Deed.NOTHING, wanted.name)


def _told(pipeline: Pipeline) -> Iterator[tuple[str, _Leaf]]:
    """Every single value by its key."""
    plain = Option("")
    for key, value in _ends(pipeline).items():
        yield key, _Leaf(value, plain)
    for path, options in _parts(pipeline):
        for keys, value, about in leaves(options, path):
            if keys != ("format_options",):
                yield dotted(keys), _Leaf(value, about)


def _ends(pipeline: Pipeline) -> dict[str, Any]:
    if isinstance(pipeline, ForwardPipeline):
        ends = {"outbox": pipeline.outbox, "group": pipeline.group, "sink.type": pipeline.sink.type}
    else:
        ends = {"inbox": pipeline.inbox, "source.type": pipeline.source.type}
    return {**ends, "enabled": pipeline.enabled}


def _parts(pipeline: Pipeline) -> list[tuple[Path, Any]]:
    if isinstance(pipeline, ForwardPipeline):
        return [
            (("sink",), pipeline.sink.options),
            ((), pipeline.delivery),
            (("format_options",), pipeline.format_options),
        ]
    return [(("source",), pipeline.source.options), ((), pipeline.intake)]


def _is_same(old: _Leaf | None, new: _Leaf | None) -> bool:
    return old is not None and new is not None and _canonical(old.value) == _canonical(new.value)


def _canonical(value: Any) -> str:
    """For comparing: JSON tells true from 1, which Python takes for the same."""
    return json.dumps(value, sort_keys=True)


def _difference(key: str, old: _Leaf | None, new: _Leaf | None) -> Difference:
    before, after = (None if leaf is None else _fit(leaf.value, leaf.about) for leaf in (old, new))
    return Difference(key, before, after)


def _fit(value: Any, about: Option) -> str:
    """The value as it may be shown."""
    return (
        shown(value, _LONGEST) if all(is_safe_to_show(text, about.secret) for text in _texts(value)) else "(a secret)"
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _lines(step: Step) -> Iterator[str]:
    if step.deed is Deed.NOTHING:
        return
    if step.deed is Deed.KEEP:
        yield f"{step.deed:<9} {step.name}  (not in the file; pruning would delete it)"
        return
    yield f"{step.deed:<9} {step.name}" + (
        f"  {_ways(step.wanted)}" if step.wanted and step.deed is Deed.CREATE else ""
    )
    for each in step.differences:
        key = f"{each.key}: " if each.key else ""
        yield f"{'':<9}   {key}{each.before or 'absent'} → {each.after or 'absent'}"


def _ways(pipeline: Pipeline) -> str:
    if isinstance(pipeline, ForwardPipeline):
        return f"outbox {pipeline.outbox} → {pipeline.sink.type}"
    return f"{pipeline.source.type} → inbox {pipeline.inbox}"
