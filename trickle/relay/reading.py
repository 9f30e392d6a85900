"""JSON into options, or everything that is wrong with it.

Values have the types of JSON and nothing is guessed: "500" is no number, 1 is no boolean. What a connector reads as
`str` may hold references to secrets anywhere; what is marked secret must hold one, and so must the password in an
address, whatever its option is called, and a header that is known to be a secret.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from trickle.errors import ConfigurationError
from trickle.relay import secrets, templates, transform
from trickle.relay.options import Field, Option, fields
from trickle.relay.problems import Misconfigured, Path, Problem, shown, unknown

T = TypeVar("T")


def read(options: type[T], given: object, where: str, path: Path = ()) -> T:
    """An instance of an options class.

    `where` names the whole, "pipeline 'orders'"; `path` leads to these options in it.

    Raises:
        Misconfigured: with all mistakes, in order.
    """
    problems: list[Problem] = []
    made = examine(options, given, path, problems)
    if problems or made is None:
        raise Misconfigured(where, problems)
    return made


def examine(
    options: type[T], given: object, path: Path, problems: list[Problem], others: Iterable[str] = ()
) -> T | None:
    """The same, adding to `problems`; None when there are any. `others` are keys of the same object read elsewhere."""
    if not isinstance(given, Mapping):
        problems.append(Problem(path, f"{shown(given)} is not an object of keys and values"))
        return None
    known = {field.name: field for field in fields(options)}
    before = len(problems)
    values: dict[str, Any] = {}
    for key, value in given.items():
        if not isinstance(key, str):
            problems.append(Problem((*path, str(key)), _key_is_no_text(key)))
        elif key in known:
            values[key] = _field(known[key], value, (*path, key), problems)
        else:
            problems.append(Problem((*path, key), unknown(key, (*known, *others))))
    for name, field in known.items():
        if field.is_required and name not in given:
            problems.append(Problem((*path, name), f"is missing: {field.about.help}"))
    if len(problems) > before:
        return None
    try:
        return options(**values)
    except ConfigurationError as error:
        problems.append(Problem(path, str(error)))
        return None


def _field(field: Field, given: object, path: Path, problems: list[Problem]) -> Any:
    if given is None:
        if not field.is_optional:
            problems.append(Problem(path, "is null, leave the key out to have its default"))
        return None
    for kind in field.kinds:
        if _fits(kind, given):
            value = _converted(kind, field.about, given, path, problems)
            if field.is_required and value == "":
                problems.append(Problem(path, f"is empty: {field.about.help}"))
            return value
    problems.append(Problem(path, _misfit(field, given)))
    return None


def _fits(kind: Any, given: object) -> bool:
    if kind in (str, bool):
        return isinstance(given, kind)
    if kind is int:
        return isinstance(given, int) and not isinstance(given, bool)
    if kind is float:
        return isinstance(given, int | float) and not isinstance(given, bool)
    if typing.get_origin(kind) is tuple:
        return isinstance(given, list | tuple)
    return isinstance(given, Mapping)


def _converted(kind: Any, about: Option, given: Any, path: Path, problems: list[Problem]) -> Any:
    """A value whose outer type is right."""
    if dataclasses.is_dataclass(kind):
        return examine(cast(type[Any], kind), given, path, problems)
    if typing.get_origin(kind) is tuple:
        inner = Field("", (typing.get_args(kind)[0],), False, "", about)
        return tuple(_field(inner, item, (*path, index), problems) for index, item in enumerate(given))
    if typing.get_origin(kind) is dict:
        return _object(typing.get_args(kind)[1], about, given, path, problems)
    value = float(given) if kind is float and not _is_too_large(given) else given
    wrong = _wrong(about, value)
    if wrong:
        problems.append(Problem(path, wrong))
    return value


def _object(kind: Any, about: Option, given: Mapping[Any, Any], path: Path, problems: list[Problem]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in given.items():
        if not isinstance(key, str):
            problems.append(Problem((*path, str(key)), _key_is_no_text(key)))
        elif kind is Any:
            values[key] = value
        else:
            is_secret = about.secret or key.lower() in _SECRET_HEADERS
            inner = Field("", (kind,), False, "", dataclasses.replace(about, secret=is_secret))
            values[key] = _field(inner, value, (*path, key), problems)
    return values


_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "api-key", "x-api-key", "x-auth-token"})


def _key_is_no_text(key: object) -> str:
    return f"the key {shown(key)} is not text: write it in quotes"


def _is_too_large(given: int | float) -> bool:
    return isinstance(given, int) and abs(given) > 2**1000


def _misfit(field: Field, given: object) -> str:
    wanted = " or ".join(words(kind) for kind in field.kinds)
    if isinstance(given, str) and {int, float, bool} & set(field.kinds):
        return f"{_cautious(field.about, given)} is text, not {wanted}: write it without quotes"
    if isinstance(given, bool | int | float) and str in field.kinds:
        return f"{_cautious(field.about, given)} is not text: write it in quotes"
    return f"{_cautious(field.about, given)} is not {wanted}"


def words(kind: Any) -> str:
    """What a value of this type is called."""
    if kind in _WORDS:
        return _WORDS[kind]
    if typing.get_origin(kind) is tuple:
        return "a list of texts" if typing.get_args(kind)[0] is str else "a list of objects"
    if typing.get_origin(kind) is dict and typing.get_args(kind)[1] is str:
        return "an object of texts"
    return "an object"


_WORDS: Mapping[Any, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _cautious(about: Option, given: object) -> str:
    return "what is given" if about.secret else shown(given)


def _wrong(about: Option, value: str | int | float | bool) -> str | None:
    """What is wrong with a single value of the right type."""
    if isinstance(value, str):
        return _wrong_text(about, value)
    if isinstance(value, bool):
        return None
    # Written as "not inside" so that NaN is refused as well.
    low = about.minimum is not None and not value >= about.minimum
    high = about.maximum is not None and not value <= about.maximum
    return f"{shown(value)} is outside {allowed_range(about)}" if low or high or value != value else None


def _wrong_text(about: Option, text: str) -> str | None:
    if about.choices and text not in about.choices:
        return f"{_cautious(about, text)}: {unknown(text, about.choices, 'choice')}"
    wrong = secrets.wrong_reference(text, about.secret)
    if wrong is None and not about.expression and not about.pattern:
        wrong = secrets.clear_password(text)
    if wrong is None and about.template:
        wrong = templates.wrong(secrets.without_references(text))
    if wrong is None and about.expression and text:
        wrong = transform.wrong(text)
    if wrong is None and about.pattern and text:
        wrong = _wrong_pattern(text)
    return wrong


def _wrong_pattern(text: str) -> str | None:
    try:
        re.compile(text)
    except re.error as error:
        return f"is not a regular expression: {error}"
    except RecursionError:
        return "is nested too deeply"
    return None


def allowed_range(about: Option) -> str:
    """`0–3600 s`, `at least 1`: the values that a number may take."""
    unit = f" {about.unit}" if about.unit else ""
    if about.minimum is not None and about.maximum is not None:
        return f"{_number(about.minimum)}–{_number(about.maximum)}{unit}"
    if about.minimum is not None:
        return f"at least {_number(about.minimum)}{unit}"
    return "" if about.maximum is None else f"at most {_number(about.maximum)}{unit}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
