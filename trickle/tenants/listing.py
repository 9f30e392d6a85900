"""Where the list of tenants comes from: a table, a file, or a function; and what changes from one look to the next.

    pgtrickle.tenants in the home database    tenant_id, url, schema_name, weight, is_suspended
    a file, YAML or TOML                      tenants: [{id: …, url: …, schema: …, weight: …, suspended: …}]
    a function                                returns Tenants

A list is read again every few seconds. One that cannot be read is as it was; one tenant that is wrong is left out, and
said so, and the others are not.
"""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from typing import Any

from trickle.db.session import connect
from trickle.errors import ConfigurationError
from trickle.logs import event
from trickle.relay.secrets import Access
from trickle.sql import load
from trickle.tenants.home import Home
from trickle.tenants.tenant import Tenant

log = logging.getLogger(__name__)

Found = Iterable[Tenant]
Function = Callable[[], Found | Awaitable[Found]]
Listing = Callable[[Home], Awaitable[Found]]

OURS = "TRICKLE_"
"""How the variables begin that addresses may refer to: those are not handed on to the processes of tenants."""
_ACCESS = Access(OURS)
_FIELDS = {"id", "url", "schema", "weight", "suspended"}


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two lists."""

    gone: frozenset[str]  # removed, suspended, or moved: what runs there now has to end
    there: Mapping[str, Tenant]  # that may be hot


def compare(before: Mapping[str, Tenant], after: Mapping[str, Tenant]) -> Change:
    """Which tenants have to leave, and which there are."""
    there = {name: tenant for name, tenant in after.items() if not tenant.is_suspended}
    gone = (name for name, tenant in before.items() if there.get(name) != tenant)
    return Change(frozenset(gone), there)


def table(url: str) -> Listing:
    """Those of the table; without a url of their own they are in the home database."""

    async def read(home: Home) -> Found:
        return _all(map(_named, await home.listed()), "pgtrickle.tenants", url)

    return read


def of_row(row: Sequence[Any], home_url: str) -> Tenant:
    """A row of the table. Raises ConfigurationError."""
    return _tenant(_named(row), home_url)


def file(path: Path, url: str) -> Listing:
    """Those of a file, read anew whenever it has changed."""

    async def read(_: Home) -> Found:
        return _all(_parsed(path), str(path), url)

    return read


def function(found: Function) -> Listing:
    """Those that a function returns, `async` or not."""

    async def read(_: Home) -> Found:
        try:
            made = found()
            return list(await made if isawaitable(made) else made)
        except Exception as error:
            raise ConfigurationError(f"the function that lists tenants has failed: {error!r}") from error

    return read


def listed_once(url: str, path: Path | None) -> list[Tenant]:
    """The tenants of a file, or of the table in this database, without a supervisor. Raises ConfigurationError."""
    if path is not None:
        return _all(_parsed(path), str(path), url)
    with connect(url, role="tenants") as conn:
        return _all(map(_named, conn.execute(load("queries/tenants_listed")).fetchall()), "pgtrickle.tenants", url)


def _parsed(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the list of tenants {path} cannot be read: {error.strerror}") from error
    try:
        whole = tomllib.loads(text) if path.suffix == ".toml" else _yaml(text)
    except ValueError as error:
        raise ConfigurationError(f"the list of tenants {path} is not valid: {error}") from error
    rows = whole.get("tenants") if isinstance(whole, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigurationError(f"the list of tenants {path} has no list `tenants`", hint="tenants: [{id: a, url: …}]")
    return rows


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ConfigurationError(
            "a list of tenants in YAML needs PyYAML", hint="pip install 'trickle-pg[relay]', or use TOML"
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _all(rows: Iterable[dict[str, Any]], where: str, home_url: str) -> list[Tenant]:
    """The tenants of rows; one that is wrong is none."""
    found: list[Tenant] = []
    for row in rows:
        try:
            found.append(_tenant(row, home_url))
        except ConfigurationError as error:
            event(
                log, logging.WARNING, "supervisor.tenant_invalid", tenant=row.get("id"), where=where, error=str(error)
            )
    return found


def _named(row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(("id", "url", "schema", "weight", "suspended"), row, strict=True))


def _tenant(row: dict[str, Any], home_url: str) -> Tenant:
    unknown = row.keys() - _FIELDS
    if unknown:
        raise ConfigurationError(f"unknown: {', '.join(sorted(unknown))}", hint="known: " + ", ".join(sorted(_FIELDS)))
    try:
        return Tenant(
            id=str(row["id"]),
            url=_ACCESS.resolve(str(row.get("url") or ""), os.environ).options or home_url,
            schema=str(row.get("schema") or "pgtrickle"),
            weight=float(row.get("weight", 1)),
            is_suspended=bool(row.get("suspended", False)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"not a tenant: {error!r}") from error
