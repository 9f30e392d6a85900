"""Installing or upgrading the catalog for many tenants: each database by itself, some at a time, and what came of each.

What is up to date already is left as it is, so a run that was interrupted, or failed for some, is simply repeated. One
that cannot be upgraded keeps none of the others from it; until it is, supervisors say so and go on with the rest.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from trickle.catalog import migrate
from trickle.db.job_schema import SCHEMA
from trickle.db.session import connect
from trickle.errors import TrickleError
from trickle.tenants.budget import database_of
from trickle.tenants.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What came of one database."""

    tenants: tuple[str, ...]
    database: str
    before: str | None  # revision of the catalog
    after: str | None
    seconds: float
    problem: str | None = None

    @property
    def outcome(self) -> str:
        if self.problem is not None:
            return "failed"
        return "unchanged" if self.before == self.after else "installed" if self.before is None else "upgraded"


@dataclass(frozen=True, slots=True)
class Place:
    """One database with all its tenants."""

    url: str = field(repr=False)
    database: str
    tenants: tuple[str, ...]
    schemas: tuple[str, ...]


def places(tenants: Collection[Tenant]) -> list[Place]:
    """The databases of tenants, suspended ones included: they come back some day."""
    by_database: dict[tuple[str, str], list[Tenant]] = {}
    for tenant in tenants:
        by_database.setdefault(database_of(tenant.url), []).append(tenant)
    return [
        Place(
            some[0].url,
            f"{database} at {server}",
            tuple(tenant.id for tenant in some),
            tuple(sorted({tenant.schema for tenant in some} - {SCHEMA})),
        )
        for (server, database), some in by_database.items()
    ]


def upgrade_all(todo: Collection[Place], at_once: int) -> Iterator[Upgraded]:
    """Upgrade so many at once; what came of each, as it comes. In processes: alembic is for one thread."""
    with ProcessPoolExecutor(at_once, mp_context=multiprocessing.get_context("fork")) as pool:
        for ended in as_completed([pool.submit(upgrade, place) for place in todo]):
            yield ended.result()


def upgrade(place: Place) -> Upgraded:
    """The catalog of one database, and the schemas of jobs in it."""
    began = time.monotonic()
    before = after = problem = None
    try:
        with connect(place.url, role="init") as conn:
            before = migrate.installed_revision(conn)
        after = migrate.init(place.url)
        with connect(place.url, role="init") as conn:
            for schema in place.schemas:
                conn.execute("SELECT pgtrickle.create_job_schema(%s)", (schema,))
    except (TrickleError, psycopg.Error, SQLAlchemyError) as error:
        problem = str(error).strip().partition("\n")[0]
    return Upgraded(place.tenants, place.database, before, after, time.monotonic() - began, problem)
