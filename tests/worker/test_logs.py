"""The two shapes of a log line."""

from __future__ import annotations

import io
import json
import logging

import pytest

from trickle import logs

log = logging.getLogger("trickle.worker.somewhere")


def test_text() -> None:
    stream = io.StringIO()
    logs.configure("text", "info", stream)
    logs.event(log, logging.INFO, "refreshed", table="public.t", reason="two words", empty="")
    line = stream.getvalue().rstrip()
    assert line.endswith('refreshed table=public.t reason="two words" empty=""')
    assert " INFO worker[" in line and line[:2] == "20"


def test_json_is_one_object_per_line_and_fields_replace_nothing() -> None:
    stream = io.StringIO()
    logs.configure("json", "debug", stream)
    logs.event(log, logging.DEBUG, "a\nb", rows=3, level="mine", odd=object)
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["message"], told["rows"], told["level"], told["part"]) == ("a\nb", 3, "debug", "worker")


@pytest.mark.parametrize("shape", ["text", "json"])
def test_tracebacks_are_kept(shape: str) -> None:
    stream = io.StringIO()
    logs.configure(shape, "info", stream)
    try:
        raise ValueError("why")
    except ValueError:
        log.exception("it broke")
    assert "ValueError: why" in stream.getvalue()


def test_the_level_is_obeyed() -> None:
    stream = io.StringIO()
    logs.configure("text", "warning", stream)
    logs.event(log, logging.INFO, "quiet")
    assert stream.getvalue() == ""
