"""From a message of a source to what an inbox is given: opened, filtered, named, projected. Compiled once, pure.

    Incoming ──open the envelope──▶ filter ──▶ event id, type, key ──▶ projection ──▶ Incoming

An expression or header that finds nothing leaves what the source has said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trickle.relay.failures import Failure
from trickle.relay.formats import FORMATS
from trickle.relay.formats.format import JSON, Decode
from trickle.relay.message import Incoming
from trickle.relay.pipeline import ReversePipeline
from trickle.relay.settings import FieldMapping
from trickle.relay.templates import text_of
from trickle.relay.transform import Evaluate, compile_expression, is_true
from trickle.relay.view import Unusable, document_of, written

Accept = Callable[[Incoming], Incoming | Failure | None]
Find = Callable[[Incoming, "Payload"], str | None]
Put = Callable[[Incoming, str], Incoming]


class Payload:
    """The payload of one message, parsed when it is asked for."""

    __slots__ = ("_document", "_is_read", "message")

    def __init__(self, message: Incoming) -> None:
        self.message = message
        self._is_read = False
        self._document: object = None

    @property
    def document(self) -> object:
        """Raises Unusable."""
        if not self._is_read:
            self._document, self._is_read = document_of(self.message), True
        return self._document


def compile_incoming(pipeline: ReversePipeline) -> Accept:
    """What makes of each message of this pipeline's source what its inbox takes.

    The function it gives returns None for what is filtered out: it counts as received. A Failure says that the message
    cannot be taken, now or later; nothing is lost of it, since the caller has it.

    Raises:
        ConfigurationError: an expression is none, which reading the pipeline has made sure of.
    """
    intake = pipeline.intake
    decode = _decoder(intake.format)
    keeps = compile_expression(intake.transform.filter) if intake.transform.filter else None
    project = compile_expression(intake.transform.payload) if intake.transform.payload else None
    names = _names(intake.mapping)

    def accept(message: Incoming) -> Incoming | Failure | None:
        try:
            opened = decode(message)
            payload = Payload(opened)
            if keeps is not None and not is_true(keeps(payload.document)):
                return None
            named = opened
            for put, find in names:
                value = find(opened, payload)
                named = put(named, value) if value else named
            return named if project is None else _projected(project, named, payload, intake.transform.payload)
        except Unusable as unusable:
            return unusable.failure

    return accept


def _decoder(name: str) -> Decode:
    made = FORMATS[name].decoder
    assert made is not None, f"the settings offer no format that cannot be opened, {name} is one"
    return made()


def _projected(project: Evaluate, message: Incoming, payload: Payload, expression: str) -> Incoming:
    made = project(payload.document)
    if made is None:
        raise Unusable(f"{expression!r} finds nothing in the payload")
    return message._replace(payload=written(made), content_type=JSON)


def _names(mapping: FieldMapping) -> Sequence[tuple[Put, Find]]:
    """For each field that is looked for, what puts it in and what finds it."""
    wanted: list[tuple[Put, str, str]] = [
        (lambda message, value: message._replace(event_id=value), mapping.event_id_header, mapping.event_id),
        (lambda message, value: message._replace(event_type=value), mapping.event_type_header, mapping.event_type),
        (lambda message, value: message._replace(key=value), mapping.key_header, mapping.key),
    ]
    return [(put, _finder(header, expression)) for put, header, expression in wanted if header or expression]


def _finder(header: str, expression: str) -> Find:
    evaluate = compile_expression(expression) if expression else None

    def find(message: Incoming, payload: Payload) -> str | None:
        named = _header(message, header) if header else None
        if named or evaluate is None:
            return named
        return text_of(evaluate(payload.document))

    return find


def _header(message: Incoming, name: str) -> str | None:
    """Whatever case it is written in: some protocols do not keep it."""
    value = message.headers.get(name)
    if value is not None:
        return value
    return next((value for other, value in message.headers.items() if other.lower() == name.lower()), None)
