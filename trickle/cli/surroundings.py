"""What is found around the stream tables: settings, room on the server, and what nobody owns any more. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches

from trickle import config
from trickle.cli.absent_settings import absent_settings
from trickle.cli.budgets import Budget
from trickle.cli.examination import Orphan, QueueFacts
from trickle.cli.finding import Finding, Level
from trickle.cli.output import duration
from trickle.database_settings import DatabaseSettings
from trickle.settings import Setting

# A claim has to pass dead rows that are not removed: with so many, and so many times those that live, it gets slow.
DEAD_ROWS = 100_000
DEAD_SHARE = 2
WAITING = timedelta(minutes=1)


def known_settings() -> dict[str, tuple[config.Value, Setting]]:
    """Every setting that a database may give, of an instance or of its own."""
    ours = {name: entry for name, entry in config.table().items() if entry[1].in_database}
    return ours | config.table(DatabaseSettings)


def settings(given: Mapping[str, str]) -> Iterator[Finding]:
    """Values that cannot be read, names that mean nothing, names that nobody knows."""
    known, absent = known_settings(), absent_settings()
    for name, value in given.items():
        forget = f"SELECT pgtrickle.set_config('{name}', NULL), or ALTER DATABASE … RESET pg_trickle.{name}"
        if name in absent:
            yield Finding("settings", Level.WARNING, f"pg_trickle.{name} changes nothing: {absent[name]}", forget)
        elif name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"; is pg_trickle.{near[0]} meant?" if near else ""
            yield Finding("settings", Level.WARNING, f"pg_trickle.{name} is not a setting{meant}", forget)
        else:
            try:
                config.checked(name, value)
            except (TypeError, ValueError) as error:
                words = f"pg_trickle.{name} is not used, for it cannot be read: {error}"
                yield Finding("settings", Level.ERROR, words, forget)


def connections(budget: Budget, live: int) -> Iterator[Finding]:
    """Whether the instances that live may all refresh as much as they are allowed to."""
    if budget.needed(max(live, 1)) > budget.left:
        words = f"not enough for what instances may open: {budget.in_words(max(live, 1))}"
        wanted = budget.needed(max(live, 1)) + budget.reserved + budget.of_others
        yield Finding(
            "connections",
            Level.WARNING,
            words,
            f"ALTER SYSTEM SET max_connections = {wanted} and restart the server, or fewer `--workers`",
        )


def locks(budget: Budget) -> Iterator[Finding]:
    """Whether the server's one lock table, which is everybody's, is filling up."""
    if budget.is_crowded:
        words = f"{budget.locks_held} of about {budget.lock_room} locks are held: at its end every session fails"
        hint = "ALTER SYSTEM SET max_locks_per_transaction = 256 and restart the server"
        less = "; claims take less of it with a smaller pg_trickle.claim_lock_percent"
        yield Finding("locks", Level.WARNING, words, hint + less)


def orphans(found: Iterable[Orphan]) -> Iterator[Finding]:
    for orphan in found:
        yield Finding("orphans", Level.WARNING, f"{orphan.what} belongs to nothing any more", orphan.statement)


def queues(found: Iterable[QueueFacts]) -> Iterator[Finding]:
    """Whether anybody does the jobs, and whether what is left of those that were done can be removed."""
    for queue in found:
        table = f"{queue.schema_name}.job"
        if not queue.is_vacuumed:
            words = f"autovacuum is off for {table}: claims get slower with every job that is done"
            hint = f"ALTER TABLE {table} RESET (autovacuum_enabled), or ALTER SYSTEM SET autovacuum = on"
            yield Finding("jobs", Level.WARNING, words, hint)
        elif queue.dead_rows > DEAD_ROWS and queue.dead_rows > DEAD_SHARE * queue.live_rows:
            words = f"{queue.dead_rows} dead rows in {table}, {queue.live_rows} live ones: vacuum cannot keep up"
            yield Finding(
                "jobs", Level.WARNING, words, f"end what holds old rows (see transactions), then VACUUM {table}"
            )
        waited = timedelta(seconds=queue.ready_seconds or 0)
        if waited > WAITING and queue.runners == 0:
            words = f"a job of {table} has been ready for {duration(waited)}, and no runner is there"
            yield Finding("jobs", Level.WARNING, words, "trickle jobs run MODULE")
