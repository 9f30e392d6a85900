"""Where a message goes: the first rule that it matches, else a template.

    {"rules": [{"match_field": "payload.region", "match_value": "eu", "subject": "orders.eu"},
               {"match_field": "headers.priority", "match_min": 5, "subject": "urgent.{outbox}"}],
     "default_template": "orders.{op}"}

What is compared is named as in a template; a name that is none of those is a path in the payload. A rule whose field
a message does not have is not matched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from trickle.errors import ConfigurationError
from trickle.relay import templates
from trickle.relay.options import option
from trickle.relay.templates import NAMES, Place, Template, text_of, value_at
from trickle.relay.view import Unusable, View

Address = Callable[[View], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; exactly one way of comparing."""

    match_field: str = option("What is compared: a placeholder's name without braces, or a path in the payload.")
    subject: str = option("Address of what matches: subject, topic, stream, routing key, path.", template=True)
    match_value: str | bool | int | float | None = option(
        "Matches this value. A text is compared with the value as JSON writes it, a number with numbers, "
        "those that are written as text included.",
        default=None,
    )
    match_pattern: str = option(
        "Matches values in which this regular expression is found; ^ and $ make it cover them whole.",
        default="",
        pattern=True,
    )
    match_min: float | None = option("Matches numbers from this one on.", default=None)
    match_max: float | None = option(
        "Matches numbers up to this one; together with match_min those between.", default=None
    )

    def __post_init__(self) -> None:
        field_place(self.match_field)
        ranged = self.match_min is not None or self.match_max is not None
        if (self.match_value is not None) + bool(self.match_pattern) + ranged != 1:
            raise ConfigurationError("a rule has one of match_value, match_pattern, and match_min with match_max")


@dataclass(frozen=True, slots=True)
class Routing:
    """How addresses are made."""

    rules: tuple[Rule, ...] = option("Rules; the first that matches counts.", default=())
    default_template: str = option(
        "Address of what no rule matches; empty means the one in the options of the sink.", default="", template=True
    )


def compile_routing(routing: Routing, of_sink: str) -> Address:
    """What gives each message its address, or raises Unusable; an empty address is the sink's own default."""
    rules = [(_matcher(rule), templates.parse(rule.subject)) for rule in routing.rules]
    otherwise = templates.parse(routing.default_template or of_sink)
    if not rules and otherwise.constant is not None:
        constant = otherwise.constant
        return lambda view: constant

    def address(view: View) -> str:
        for matches, subject in rules:
            if matches(view):
                return _filled(subject, view)
        return _filled(otherwise, view)

    return address


def field_place(text: str) -> Place:
    """The place a rule compares. Raises ConfigurationError."""
    name = text.partition(".")[0]
    return templates.place(text if name in NAMES else f"payload.{text}")


def _filled(template: Template, view: View) -> str:
    made = template.render(view)
    if not made and template.source:
        raise Unusable(f"{template.source!r} gives an empty address")
    return made


def _matcher(rule: Rule) -> Callable[[View], bool]:
    where = field_place(rule.match_field)
    if rule.match_pattern:
        pattern = re.compile(rule.match_pattern)
        return lambda view: (text := text_of(value_at(where, view))) is not None and pattern.search(text) is not None
    if rule.match_value is None:
        return _range_matcher(where, rule)
    wanted = rule.match_value
    if isinstance(wanted, str):
        return lambda view: text_of(value_at(where, view)) == wanted
    if isinstance(wanted, bool):
        return lambda view: value_at(where, view) is wanted
    return lambda view: _number(value_at(where, view)) == wanted


def _range_matcher(where: Place, rule: Rule) -> Callable[[View], bool]:
    low = float("-inf") if rule.match_min is None else rule.match_min
    high = float("inf") if rule.match_max is None else rule.match_max

    def matches(view: View) -> bool:
        number = _number(value_at(where, view))
        return number is not None and low <= number <= high

    return matches


def _number(value: object) -> int | float | None:
    """A number of the payload; the text of a header, which has no other way to be one, counts when it is written so."""
    if isinstance(value, str):
        return float(value) if _NUMERAL.fullmatch(value) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


_NUMERAL = re.compile(r"-?\d{1,15}(\.\d{1,15})?")
