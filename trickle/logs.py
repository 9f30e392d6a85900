"""Structured logs from every process of an instance, as text or as one JSON object per line.

The parent owns the sink (standard error). A forked child writes to a `MultiProcessingHandler` made for it
alone: a child killed while it holds its queue's lock, or in the middle of a record, spoils its own queue
and nobody else's. The parent closes its own writing end after the fork, so the reading thread meets the end
of the file when the child is gone, has by then delivered all that was whole, and ends by itself.

Fields travel in `extra={"fields": {...}}`; `event` writes that for you.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import multiprocessing_logging

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def event(logger: logging.Logger, level: int, message: str, /, **fields: object) -> None:
    """Log one sentence with its fields."""
    logger.log(level, message, extra={"fields": fields})


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z INFO worker[4711] refreshed public.revenue rows=3`"""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_shown(value)}" for name, value in _fields(record).items())
        level = record.levelname
        line = f"{_stamp(record)} {level} {_part(record)}[{record.process}] {record.getMessage()}{fields}"
        trouble = _traceback(self, record)
        return f"{line}\n{trouble}" if trouble else line


class JsonFormatter(logging.Formatter):
    """One JSON object per line; fields stand beside the fixed keys and never replace them."""

    def format(self, record: logging.LogRecord) -> str:
        fixed: dict[str, object] = {
            "time": _stamp(record),
            "level": record.levelname.lower(),
            "part": _part(record),
            "pid": record.process,
            "message": record.getMessage(),
        }
        trouble = _traceback(self, record)
        if trouble:
            fixed["traceback"] = trouble
        return json.dumps({**_fields(record), **fixed}, default=str, ensure_ascii=False)


class _ToSink(logging.Handler):
    """Passes a child's records on. Closing it leaves the shared sink open."""

    def __init__(self, sink: logging.Handler) -> None:
        super().__init__(sink.level)
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        self._sink.handle(record)


class ChildChannel:
    """The way of one child's log records to the parent's sink."""

    def __init__(self, sink: logging.Handler, name: str) -> None:
        # Opened in the parent before the fork; the thread it starts lives in the parent only.
        self._handler = multiprocessing_logging.MultiProcessingHandler(name, _ToSink(sink))

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the child must keep open to be heard."""
        return (self._handler.queue._writer.fileno(),)

    def adopt(self) -> None:
        """In the child: send everything this way, and nothing to the handlers inherited from the parent."""
        root = logging.getLogger()
        root.handlers[:] = [self._handler]

    def forked(self) -> None:
        """In the parent, after the fork: only the child writes here, so its death ends the stream."""
        self._handler.queue._writer.close()

    def flush(self) -> None:
        """In the child, before a deliberate exit: everything queued has left the process."""
        self._handler.queue.close()
        self._handler.queue.join_thread()

    def close(self) -> None:
        """In the parent, after the child is gone: returns once its last whole record is delivered."""
        self._handler.close()


def configure(log_format: str = "text", level: str = "info", stream: TextIO | None = None) -> logging.Handler:
    """Set up the parent's logging and return the sink that children are given a channel to."""
    sink = logging.StreamHandler(stream if stream is not None else sys.stderr)
    sink.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [sink]
    root.setLevel(_LEVELS[level])
    return sink


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, Mapping) else {}


def _part(record: logging.LogRecord) -> str:
    """`trickle.worker.child` → `worker`: the room a reader looks in."""
    parts = record.name.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "trickle" else record.name


def _stamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _shown(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(c in text for c in ' "=\n') else text


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    # A record that came through a channel carries its traceback as text already.
    if record.exc_info and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    return record.exc_text or ""
