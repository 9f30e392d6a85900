"""Secrets stand elsewhere: a configuration only refers to them, and is filled in when a connection is opened.

    ${env:NAME}      a variable of the relay's environment
    ${file:/path}    the content of a file, without the line's end; what Kubernetes, systemd and Docker mount

A reference may be a whole value or a part of one: `postgresql://app:${env:PASSWORD}@db/shop`. What is put in is not
looked through for further references. A file or variable that has changed is noticed by the fingerprint, when the
caller resolves again: it then opens its connection anew.

Whoever may write pipelines can thereby read what the relay can. `Access` says what that is: all, or the variables of
one prefix and the files of some directories.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote, quote_plus, unquote

from trickle.errors import ConfigurationError
from trickle.relay import problems
from trickle.relay.options import Option
from trickle.relay.problems import Misconfigured, Problem, shown

T = TypeVar("T")
ReadFile = Callable[[Path], str]

HOW = "use ${env:NAME} or ${file:/path}"

_REFERENCE = re.compile(r"\$\{(env|file):([^{}]*)\}")
_LIKE_A_REFERENCE = re.compile(r"\$\{\s*([A-Za-z_]+)\s*:")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# In an address, `//user:password@`; in a libpq connection string or a query, `password=`.
_PASSWORD = re.compile(r"://[^/@:\s]*:([^/@\s]+)@|(?i:\b(?:ssl)?password)\s*=\s*('[^']*'|[^\s&]+)")
_STANDS_FOR_ONE = "\x00"
_LARGEST_FILE = 65536
_SHORTEST_REDACTED = 4


def without_references(text: str) -> str:
    """The text with something in place of each reference that is nothing else."""
    return _REFERENCE.sub(_STANDS_FOR_ONE, text)


def wrong_reference(text: str, is_secret: bool) -> str | None:
    """What is wrong with the references in an option, or with their absence. Never tells a secret."""
    for kind, name in _REFERENCE.findall(text):
        if kind == "env" and not _VARIABLE.fullmatch(name):
            return f"{shown(name)} cannot be the name of an environment variable"
        if kind == "file" and not name.startswith("/"):
            return f"the file {shown(name)} needs its whole path, beginning with /"
    rest = without_references(text)
    unknown = _LIKE_A_REFERENCE.search(rest)
    if unknown:
        return f"${{{unknown[1]}:…}} is no reference: {HOW}"
    if is_secret and text and not _REFERENCE.search(text):
        return f"a secret stands here in clear: {HOW}"
    return None


def clear_password(text: str) -> str | None:
    """What is wrong with an address or a connection string that has a password in it. Never tells the text."""
    rest = without_references(text)
    if any(_STANDS_FOR_ONE not in password for password in _passwords(rest)):
        return f"the password in it stands there in clear: {HOW} in its place"
    return None


def is_safe_to_show(text: str, is_secret: bool) -> bool:
    """Whether an unresolved value has nothing secret in it."""
    return wrong_reference(text, is_secret) is None and clear_password(text) is None


@dataclass(frozen=True, slots=True)
class Resolved(Generic[T]):
    """Options as a connector gets them, and what must be kept out of every text."""

    options: T
    secrets: frozenset[str] = field(repr=False)
    fingerprint: str  # another one when a secret has changed; for comparing in memory, not for showing


class Filled(str):
    """A text with a secret in it: itself for whoever uses it, three stars for whoever prints what it stands in."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def read_secret_file(path: Path) -> str:
    """The text of a small file.

    Raises:
        ConfigurationError: what kept it from being read, without the content.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise ConfigurationError(f"{path} is no file")
        if about.st_size > _LARGEST_FILE:
            raise ConfigurationError(f"{path} is larger than {_LARGEST_FILE} bytes, so it is hardly a secret")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text") from error


def files_below(*directories: Path) -> ReadFile:
    """A way of reading that reads only these directories, links followed."""
    roots = [directory.resolve() for directory in directories]

    def read_file(path: Path) -> str:
        if not any(path.resolve().is_relative_to(root) for root in roots):
            allowed = ", ".join(map(str, directories)) or "none"
            raise ConfigurationError(f"{path} may not be read: secrets are read from {allowed}")
        return read_secret_file(path)

    return read_file


@dataclass(frozen=True, slots=True)
class Access:
    """What references may lead to: a beginning of the names of variables, and directories.

    Empty means any of them, and None means none.
    """

    variables: str | None = ""
    directories: tuple[Path, ...] | None = ()

    def resolve(self, options: T, environment: Mapping[str, str], where: str = "") -> Resolved[T]:
        """As `resolve` does it, of what is allowed. Raises Misconfigured."""
        read_file = read_secret_file if self.directories == () else files_below(*(self.directories or ()))
        return resolve(options, _Permitted(environment, self.variables), read_file, where)


class _Permitted(Mapping[str, str]):
    """The variables of one prefix. Asked for another one it says so, whether that is set or not."""

    def __init__(self, environment: Mapping[str, str], prefix: str | None) -> None:
        self._environment = environment
        self._prefix = prefix

    def __getitem__(self, name: str) -> str:
        if not self._is_permitted(name):
            which = "no variable may" if self._prefix is None else f"its name has to begin with {self._prefix}"
            raise ConfigurationError(f"the environment variable {name} may not be read: {which}")
        return self._environment[name]

    def __iter__(self) -> Iterator[str]:
        return filter(self._is_permitted, self._environment)

    def _is_permitted(self, name: str) -> bool:
        return self._prefix is not None and name.startswith(self._prefix)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def resolve(
    options: T, environment: Mapping[str, str], read_file: ReadFile = read_secret_file, where: str = ""
) -> Resolved[T]:
    """Options with every reference filled in: dataclasses, tuples and dictionaries are gone through.

    Raises:
        Misconfigured: each variable and file that is missing or empty, with the option that names it.
    """
    filling = _Filling(environment, read_file)
    made = filling.filled(options, (), is_template=False)
    if filling.wrong:
        raise Misconfigured(where, filling.wrong)
    seal = hashlib.blake2b(repr(sorted(filling.found.items())).encode(), digest_size=16).hexdigest()
    return Resolved(made, frozenset({*filling.found.values(), *filling.passwords}), seal)


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without these, however an address may have escaped them.

    Very short ones stay: they stand in every text by chance, and blanking them would show where.
    """
    written = {
        form for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret), unquote(secret))
    }
    for form in sorted(written, key=len, reverse=True):
        if len(form) >= _SHORTEST_REDACTED:
            text = text.replace(form, "***")
    return text


def _passwords(text: str) -> list[str]:
    return [in_address or after_word for in_address, after_word in _PASSWORD.findall(text)]


@dataclass(slots=True)
class _Filling:
    """One going through some options, and what it has come across."""

    environment: Mapping[str, str]
    read_file: ReadFile
    found: dict[str, str] = field(default_factory=dict)  # by the reference
    passwords: set[str] = field(default_factory=set)  # in addresses that are filled in whole
    wrong: list[Problem] = field(default_factory=list)

    def filled(self, value: Any, path: problems.Path, is_template: bool) -> Any:
        """The same value, unless there are references in it."""
        if isinstance(value, str):
            return self._text(value, path, is_template) if _REFERENCE.search(value) else value
        if isinstance(value, tuple | list):
            return type(value)(self.filled(item, (*path, index), is_template) for index, item in enumerate(value))
        if isinstance(value, Mapping):
            return {key: self.filled(item, (*path, key), is_template) for key, item in value.items()}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._fields(value, path)
        return value

    def _fields(self, options: Any, path: problems.Path) -> Any:
        changed: dict[str, Any] = {}
        for each in dataclasses.fields(options):
            before = getattr(options, each.name)
            about = each.metadata.get("option")
            after = self.filled(before, (*path, each.name), isinstance(about, Option) and about.template)
            if after != before:
                changed[each.name] = after
        return dataclasses.replace(options, **changed) if changed else options

    def _text(self, text: str, path: problems.Path, is_template: bool) -> str:
        def put_in(reference: re.Match[str]) -> str:
            value = self._value(reference, path)
            # What is put into a template is no template.
            return value.replace("{", "{{").replace("}", "}}") if is_template else value

        whole = _REFERENCE.sub(put_in, text)
        self.passwords.update(_passwords(whole))
        return Filled(whole)

    def _value(self, reference: re.Match[str], path: problems.Path) -> str:
        if reference[0] not in self.found:
            try:
                self.found[reference[0]] = _looked_up(reference[1], reference[2], self.environment, self.read_file)
            except ConfigurationError as error:
                self.wrong.append(Problem(path, str(error)))
                return ""
        return self.found[reference[0]]


def _looked_up(kind: str, name: str, environment: Mapping[str, str], read_file: ReadFile) -> str:
    if kind == "env":
        value = environment.get(name)
        if value is None:
            raise ConfigurationError(f"the environment variable {name} is not set")
    else:
        value = read_file(Path(name)).rstrip("\r\n")
    if not value:
        raise ConfigurationError(f"the environment variable {name} is empty" if kind == "env" else f"{name} is empty")
    return value
