"""From a published message to what a sink is given: filtered, addressed, projected, encoded. Compiled once, pure.

    Message ──filter──▶ address, key, headers ──projection──▶ encode ──▶ Outgoing, as many as the format makes

Filter, templates and rules see the message as it was published. What none of them asks for costs nothing: without
them, JSON that the server has checked goes through in the formats raw, native and cloudevents without being parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from trickle.relay import templates
from trickle.relay.failures import Failure
from trickle.relay.formats import FORMATS
from trickle.relay.formats.format import JSON
from trickle.relay.message import Message, Outgoing
from trickle.relay.pipeline import ForwardPipeline
from trickle.relay.registry import address_of
from trickle.relay.routing import compile_routing
from trickle.relay.transform import compile_expression, is_true
from trickle.relay.view import Surroundings, Unusable, View, written

Prepare = Callable[[Message], Sequence[Outgoing] | Failure]

_Change = Callable[[View, Message], Message]


def compile_outgoing(pipeline: ForwardPipeline) -> Prepare:
    """What makes the outgoing messages of each message of this pipeline, whose secrets are resolved.

    The function it gives returns an empty sequence for what is filtered out or tells of no row: it counts as delivered.
    A Failure says that the message cannot be told this way, now or later.

    Raises:
        ConfigurationError: a template or expression is none, which reading the pipeline has made sure of.
    """
    delivery = pipeline.delivery
    around = Surroundings(pipeline.name, pipeline.outbox, pipeline.sink.type)
    keeps = compile_expression(delivery.transform.filter) if delivery.transform.filter else None
    address_for = compile_routing(delivery.routing, address_of(pipeline.sink.options))
    changes = _changes(pipeline)
    encode = FORMATS[delivery.format].encoder(pipeline.format_options, around)

    def prepare(message: Message) -> Sequence[Outgoing] | Failure:
        view = View(message, around)
        try:
            if keeps is not None and not is_true(keeps(view.document)):
                return ()
            address = address_for(view)
            told = message
            for change in changes:
                told = change(view, told)
            return encode(view, told, address)
        except Unusable as unusable:
            return unusable.failure

    return prepare


def _changes(pipeline: ForwardPipeline) -> Sequence[_Change]:
    """What is made different about a message before it is encoded."""
    delivery = pipeline.delivery
    changes: list[_Change] = []
    if delivery.transform.payload:
        changes.append(_projection(delivery.transform.payload))
    if delivery.key:
        changes.append(_key(delivery.key))
    if delivery.headers:
        changes.append(_headers(delivery.headers))
    return changes


def _projection(expression: str) -> _Change:
    project = compile_expression(expression)

    def change(view: View, message: Message) -> Message:
        made = project(view.document)
        if made is None:
            raise Unusable(f"{expression!r} finds nothing in the payload")
        return message._replace(payload=written(made), content_type=JSON, is_jsonb=True)

    return change


def _key(source: str) -> _Change:
    template = templates.parse(source)
    return lambda view, message: message._replace(key=template.render(view) or None)


def _headers(sources: Mapping[str, str]) -> _Change:
    parsed = {name: templates.parse(source) for name, source in sources.items()}

    def change(view: View, message: Message) -> Message:
        made = {name: template.render(view) for name, template in parsed.items()}
        return message._replace(headers={**message.headers, **made})

    return change
