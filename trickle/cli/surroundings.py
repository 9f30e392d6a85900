"""What is found around the stream tables: settings, room on the server, and what nobody owns any more. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from trickle import config
from trickle.cli.absent_settings import absent_settings
from trickle.cli.budgets import Budget
from trickle.cli.examination import Orphan
from trickle.cli.finding import Finding, Level
from trickle.database_settings import DatabaseSettings
from trickle.settings import Setting


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
