"""Reading the catalog and the settings of the database, and handing them to whoever goes by them.

    glance ──token, members──▶ is anything new? ──▶ catalog ──▶ book, wake, shares
                                      └── old ────▶ settings ──▶ policy, wake, places, work

A glance at every turn costs one statement, and now and then a second, which says by a token whether the catalog is new.
It is read when the token has changed, and now and then without.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from psycopg import Connection

from trickle.clock import Anchor, Clock
from trickle.scheduler.book import Book
from trickle.scheduler.due import Policy
from trickle.scheduler.memory import Moment
from trickle.supervisor import layout, observe
from trickle.supervisor.holdings import Holdings
from trickle.supervisor.link import ServerLink
from trickle.supervisor.membership import Membership
from trickle.supervisor.options import WorkerOptions
from trickle.supervisor.places import Places
from trickle.supervisor.wake import SWEEP_TABLES, Wake
from trickle.supervisor.work import Work

_NEVER = float("-inf")
# Between two looks at the whole catalog, for each stream table in it: they shall not take more than a few thousandths
# of the time. What cannot wait rings.
_SECONDS_PER_TABLE = 0.001


class Discovery:
    """What one instance knows of its database, and how old that is."""

    def __init__(
        self,
        options: WorkerOptions,
        link: ServerLink,
        membership: Membership,
        book: Book,
        holdings: Holdings,
        wake: Wake,
        places: Places,
        work: Work,
        clock: Clock,
    ) -> None:
        self.tick_seconds = options.tick_seconds or 1.0
        self.settings = observe.DatabaseSettings()
        self.is_identical = True  # whether the catalog was made in this very database
        self._options = options
        self._link = link
        self._membership = membership
        self._book = book
        self._holdings = holdings
        self._wake = wake
        self._places = places
        self._work = work
        self._clock = clock
        self._anchor: Anchor | None = None
        self._keys: Mapping[str, int] = {}
        self._token = ""
        self._token_at = self._read_at = self._settings_at = _NEVER

    def expect_news(self) -> None:
        """Somebody says that there is something new: look at the catalog at the next turn."""
        self._token_at = _NEVER

    def read_soon(self) -> None:
        """Read catalog and settings at the next turn, however lately that was done."""
        self._settings_at = _NEVER

    def moment(self) -> Moment:
        """Now, by our clock and by that of the database."""
        monotonic = self._clock.monotonic()
        return Moment(self._anchor.now(monotonic) if self._anchor else self._clock.now(), monotonic)

    def glance(self, control: Connection[Any]) -> observe.Glance:
        """What may have changed since the last turn."""
        asked_at = self._clock.monotonic()
        with_catalog = asked_at - self._token_at >= len(self._book.tables) * _SECONDS_PER_TABLE
        if with_catalog:
            self._token_at = asked_at
        seen = observe.glance(control, self._options.group_id, "instance_token" if with_catalog else None)
        self._anchor = Anchor(seen.database_now, (asked_at + self._clock.monotonic()) / 2)
        self.is_identical = seen.is_identical or seen.in_recovery
        return seen

    def follow(self, control: Connection[Any], seen: observe.Glance, *, claims: bool) -> None:
        """Read what is new or old; compute our share when that or the members changed, if anything is to be claimed."""
        now = self._clock.monotonic()
        is_old = now - self._settings_at >= self._options.discovery_seconds
        # What the token does not tell of is not urgent, and a large catalog takes long to read.
        rest = self._options.discovery_seconds * max(1.0, len(self._book.tables) / 1000)
        is_told = seen.catalog_token is not None and seen.catalog_token != self._token
        has_new_catalog = is_told or self._settings_at == _NEVER or now - self._read_at >= rest
        has_new_members = self._membership.note(seen)
        if is_old or is_told:
            self._settings_at = now
            self._read_settings(control)
        if has_new_catalog:
            catalog = observe.read_catalog(control)
            self._book.read(catalog.tables)
            self._wake.read(observe.read_sources(control))
            self._keys = dict(catalog.keys)
            self._token = self._token if seen.catalog_token is None else seen.catalog_token
            self._read_at = now
        if (has_new_members or has_new_catalog) and claims:
            self._compute_share(control)

    def _compute_share(self, control: Connection[Any]) -> None:
        tables = self._book.tables
        members = self._membership.members
        whole = (frozenset(tables[i].full_name for i in part) for part in self._book.division.owners)
        keys_of = partial(observe.read_keys, control, self._options.group_id)
        arranged = layout.arrange(self._keys, whole, layout.budget(members), keys_of)
        self._holdings.assign(arranged, arranged.share(members, self._link.instance_id))

    def _read_settings(self, control: Connection[Any]) -> None:
        found = self.settings = observe.read_settings(control)
        self.tick_seconds = self._options.tick_seconds or found.scheduler_interval_ms / 1000
        sweep_seconds = max(1.0, self.tick_seconds) * len(self._book.tables) / SWEEP_TABLES
        self._book.policy = Policy(
            tiered_scheduling=found.tiered_scheduling,
            fuses_chains=found.enable_fused_refresh,
            auto_backoff=found.auto_backoff,
            tick_seconds=self.tick_seconds,
            slack_seconds=min(0.1, self.tick_seconds / 4),
            # Each is looked at in the course of a sweep. One that was not, for four times as long, is refreshed.
            check_seconds=max(self._options.discovery_seconds, 4 * sweep_seconds),
        )
        self._work.most_turns = found.max_fixpoint_iterations
        self._wake.set(found)
        self._places.set(found)
