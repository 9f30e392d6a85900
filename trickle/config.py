"""Where the values of settings come from, and what counts when several say something.

    defaults < file (TOML) < environment (TRICKLE_*) < database (pg_trickle.*) < command line

A source gives only the keys that are present, each with the words that say where it stands, so a wrong
value is reported with its place. `merge` reads all of them once, validates once, and raises one error that
lists everything wrong; what comes out is frozen and is passed on by constructor. Nothing here reads the
environment, a file or a database by itself: the caller hands those in.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from trickle.database_settings import DatabaseSettings
from trickle.errors import ConfigurationError
from trickle.settings import Setting, Settings

Value = bool | int | float | str

ENVIRONMENT_PREFIX = "TRICKLE_"
DATABASE_PREFIX = "pg_trickle."

_TRUE = frozenset({"on", "true", "t", "yes", "y", "1"})
_FALSE = frozenset({"off", "false", "f", "no", "n", "0"})
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))\s*([a-z%]*)")


@dataclass(frozen=True, slots=True)
class Given:
    """A value as its source gave it, and where it stands."""

    value: object
    where: str


Source = Mapping[str, Given]


def table(
    settings: type[Settings] | type[DatabaseSettings] = Settings,
) -> dict[str, tuple[Value, Setting]]:
    """Name → (default, what the table says), in order."""
    return {f.name: (cast(Value, f.default), f.metadata["setting"]) for f in dataclasses.fields(settings)}


def from_file(path: Path) -> Source:
    """The keys of a TOML file; an unknown key is an error, since nobody else reads this file."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the settings file {path} is not valid TOML: {error}") from error
    for name in values:
        if name not in table():
            raise _unknown(name, str(path))
    return {name: Given(value, f"{name} in {path}") for name, value in values.items()}


def from_environment(environment: Mapping[str, str]) -> Source:
    """TRICKLE_* variables that name a setting; an empty one counts as absent."""
    given = {name: environment.get(environment_name(name), "") for name in table()}
    return {name: Given(text, environment_name(name)) for name, text in given.items() if text}


def from_database(values: Mapping[str, str]) -> Source:
    """Values read by `trickle.catalog.settings`, by bare name; others are for the server's own functions."""
    return {
        name: Given(values[name], f"{DATABASE_PREFIX}{name} in the database")
        for name, (_, about) in table().items()
        if about.in_database and values.get(name)
    }


def from_flags(values: Mapping[str, object | None]) -> Source:
    """Command-line values; None means that the flag was not given."""
    about = table()
    return {name: Given(value, about[name][1].flag) for name, value in values.items() if value is not None}


def choose(*sources: Source) -> dict[str, Given]:
    """The value of each setting that some source gives; sources stand in rising precedence."""
    chosen: dict[str, Given] = {}
    for source in sources:
        chosen.update(source)
    return chosen


def merge(*sources: Source) -> Settings:
    """One frozen Settings, or one error that lists all that is wrong."""
    chosen = choose(*sources)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, given in chosen.items():
        default, about = table()[name]
        try:
            values[name] = _check(about, _convert(default, about, given.value))
        except (TypeError, ValueError) as error:
            problems.append(f"{given.where}: {error}")
    if problems:
        raise ConfigurationError("; ".join(problems), hint="docs/settings.md lists every setting")
    return Settings(**values)


def checked(name: str, value: object) -> Value:
    """A value in the type of its setting, of an instance or of a database.

    Raises:
        TypeError, ValueError: what is wrong with it, in words.
    """
    default, about = (table() | table(DatabaseSettings))[name]
    return _check(about, _convert(default, about, value))


def environment_name(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper()


def help_text(name: str) -> str:
    """The help of the flag that sets `name`."""
    default, about = table()[name]
    shown = f"{show(default)} {about.unit}".strip()
    places = [environment_name(name)] + ([DATABASE_PREFIX + name] if about.in_database else [])
    extra = "; ".join(([f"default {shown}"] if shown else []) + [f"also {', '.join(places)}"])
    return f"{about.help} ({extra})"


def _convert(default: Value, about: Setting, value: object) -> Value:
    """The value in the type of its default; text is read as PostgreSQL would read it."""
    if isinstance(default, bool):
        return _boolean(value)
    if isinstance(default, str):
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is not text")
        return value
    number = _number(about, value)
    if isinstance(default, int) and not number.is_integer():
        raise ValueError(f"{value!r} is not a whole number")
    return int(number) if isinstance(default, int) else number


def _boolean(value: object) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f"{value!r} is neither on nor off")


def _number(about: Setting, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _QUANTITY.fullmatch(str(value).strip().lower())
    kind = f"a number of {about.unit}" if about.unit else "a number"
    if isinstance(value, bool) or match is None:
        raise ValueError(f"{value!r} is not {kind}")
    number, unit = float(match[1]), match[2] or about.unit
    if unit == about.unit:
        return number
    if about.unit in _SECONDS_PER_UNIT and unit in _SECONDS_PER_UNIT:
        return number * _SECONDS_PER_UNIT[unit] / _SECONDS_PER_UNIT[about.unit]
    raise ValueError(f"{value!r} is not {kind}")


def _check(about: Setting, value: Value) -> Value:
    if about.choices and value not in about.choices:
        raise ValueError(f"{value!r} is not one of {', '.join(about.choices)}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Written as "not inside" so that NaN is refused as well.
        low = about.minimum is not None and not value >= about.minimum
        high = about.maximum is not None and not value <= about.maximum
        if low or high:
            raise ValueError(f"{show(value)} is outside {allowed_range(about)}")
    return value


def allowed_range(about: Setting) -> str:
    """`0–3600 s`: the values that a number may take."""
    low = "" if about.minimum is None else show(about.minimum)
    high = "" if about.maximum is None else show(about.maximum)
    return f"{low}–{high} {about.unit}".strip()


def show(value: Value) -> str:
    """A value as a person would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unknown(name: str, where: str) -> ConfigurationError:
    near = difflib.get_close_matches(name, table(), n=1)
    hint = f"did you mean {near[0]}?" if near else f"settings are {', '.join(table())}"
    return ConfigurationError(f"{where} sets {name}, which is not a setting", hint=hint)
