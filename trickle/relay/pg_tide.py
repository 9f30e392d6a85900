"""Pipelines of pg_tide, configuration version 1, read as ours.

    {"source_type": "outbox", "source": {"outbox": "orders"}, "sink_type": "nats", "sink": {"url": "…"},
     "retry": {"max_retries": 3}, "dlq": {"enabled": true}, "encoding": {"format": "native"}}

| There | Here |
| --- | --- |
| source_type `outbox`, source.outbox | outbox |
| sink_type `inbox`, sink.inbox, with a source that is no outbox | inbox |
| sink_type and sink; source_type and source | sink with its `type`; source with its `type` |
| retry.max_retries, else dlq.max_retries: repetitions | retry.max_attempts: attempts, one more |
| encoding.format, or wire_format; wire_config | format; format_options |
| transforms, a list of filters and projections, or transform | transform: one of each at most |
| dlq.enabled, dlq.retention_days | dead_letters |
| circuit_breaker.half_open_timeout_seconds | circuit_breaker.half_open_seconds |
| circuit_breaker.success_threshold | is left out: one batch that gets through closes the circuit |
| rate_limit.burst_size | rate_limit.burst |
| a filter that is not true for 0 | JMESPath's own truth: 0 is true |

Other keys are read as ours. Names of values in templates are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trickle.relay.problems import Path, Problem

_MARKS = ("source_type", "sink_type")


def is_version_1(document: Mapping[str, Any]) -> bool:
    """Whether it is a configuration of pg_tide."""
    return any(mark in document for mark in _MARKS)


def translated(document: Mapping[str, Any], path: Path, problems: list[Problem]) -> dict[str, Any]:
    """The same as a document of ours; whatever cannot be one is told in `problems` or left for the reader to refuse."""
    rest = dict(document)
    if rest.pop("schema_version", 1) != 1:
        problems.append(Problem((*path, "schema_version"), "only version 1 can be read"))
    made = _ends(rest, path, problems)
    retries = _pop(rest, "retry")
    dead = _pop(rest, "dlq")
    _rename(dead, "max_retries", retries, "max_retries")
    if isinstance(retries.get("max_retries"), int):
        retries["max_attempts"] = retries.pop("max_retries") + 1
    encoding = _pop(rest, "encoding")
    _rename(encoding, "format", made, "format")
    _rename(rest, "wire_format", made, "format")
    _rename(rest, "wire_config", made, "format_options")
    breaker = _pop(rest, "circuit_breaker")
    breaker.pop("success_threshold", None)
    _rename(breaker, "half_open_timeout_seconds", breaker, "half_open_seconds")
    rate = _pop(rest, "rate_limit")
    _rename(rate, "burst_size", rate, "burst")
    parts = {
        "retry": retries,
        "dead_letters": dead,
        "circuit_breaker": breaker,
        "rate_limit": rate,
        "encoding": encoding,
    }
    made.update({key: value for key, value in parts.items() if value})
    _transforms(rest, made, path, problems)
    return {**made, **rest}


def _ends(rest: dict[str, Any], path: Path, problems: list[Problem]) -> dict[str, Any]:
    source_type, sink_type = rest.pop("source_type", None), rest.pop("sink_type", None)
    source, sink = _pop(rest, "source"), _pop(rest, "sink")
    if source_type == "outbox":
        outbox = source.get("outbox", source.get("outbox_name"))
        return {"outbox": outbox, "sink": {"type": sink_type, **sink}}
    if sink_type == "inbox":
        inbox = sink.get("inbox", sink.get("inbox_name"))
        return {"inbox": inbox, "source": {"type": source_type, **source}}
    problems.append(
        Problem((*path, "source_type"), "one end is in the database: source_type outbox, or sink_type inbox")
    )
    return {}


def _transforms(rest: dict[str, Any], made: dict[str, Any], path: Path, problems: list[Problem]) -> None:
    steps = rest.pop("transforms", [])
    together: dict[str, Any] = {}
    for index, step in enumerate(steps if isinstance(steps, list) else [steps]):
        here = (*path, "transforms", index)
        if not isinstance(step, Mapping) or not step.keys() <= {"filter", "payload"}:
            problems.append(Problem(here, "is neither a filter nor a payload"))
        elif step.keys() & together.keys() or ("filter" in step and "payload" in together):
            problems.append(Problem(here, "there is one filter, and one payload after it"))
        else:
            together.update(step)
    if together:
        made["transform"] = together


def _pop(rest: dict[str, Any], key: str) -> dict[str, Any]:
    """An object under a key; anything else stays, for the reader to refuse."""
    return dict(rest.pop(key)) if isinstance(rest.get(key), Mapping) else {}


def _rename(given: dict[str, Any], old: str, into: dict[str, Any], new: str) -> None:
    if old in given:
        into.setdefault(new, given.pop(old))
