"""One relay at work: what a turn observes, and what follows for sessions, members, claims and carriers.

    pipelines + members ──claims.assign──▶ share ──decide──▶ take / release on the lock session
    what is claimed ──▶ carriers, which say when they have let go of a pipeline; only then its claim goes

Losing the lock session loses all claims: the carriers are told to let go of everything at once. What they still store
is fenced off by the number that the next carrier gives the pipeline, and without the claim they cannot begin anew.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import Connection

from trickle.clock import Clock
from trickle.logs import event
from trickle.relay.protocol import Claim, PipelineRow
from trickle.relay.standing import Standing
from trickle.sql import load
from trickle.supervisor import claims, observe
from trickle.supervisor.carriers import Carriers
from trickle.supervisor.link import ServerLink, is_lost
from trickle.supervisor.membership import Membership
from trickle.supervisor.options import RelayOptions

log = logging.getLogger(__name__)

_NEVER = float("-inf")
# A state that did not change is told again after so long: else one that a relay left behind would look like any other.
_TELL_AGAIN_SECONDS = 10.0


class RelayInstance:
    """Everything between the sessions and the carriers."""

    def __init__(self, options: RelayOptions, link: ServerLink, carriers: Carriers, clock: Clock) -> None:
        self.pipelines: Mapping[str, PipelineRow] = {}  # those that are enabled
        self.mine: frozenset[str] = frozenset()
        self.is_standby = self.is_draining = False
        self.membership = Membership(options, link, clock)
        self._options = options
        self._link = link
        self._carriers = carriers
        self._clock = clock
        self._keys: Mapping[str, int] = {}
        self._token = ""
        self._read_at = _NEVER
        self._told: dict[str, tuple[str, str | None]] = {}
        self._told_at = _NEVER

    @property
    def state(self) -> str:
        """The word of /readyz."""
        if self.is_draining:
            return "draining"
        if self.is_standby:
            return "standby"
        return "joined" if self._link.locks is not None else "connecting"

    @property
    def owned(self) -> frozenset[str]:
        """The pipelines that are ours to carry."""
        return self._link.held_names() & self.mine & self.pipelines.keys()

    def turn(self) -> str:
        """Observe, settle claims, tell the carriers; a sentence about it."""
        control = self._control()
        seen = self._glance(control)
        if seen.in_recovery:
            return self._wait_for_promotion()
        if not seen.is_identical:
            self._forget_claims()
            return "waits for the catalog to be repaired: it was made in another database"
        if self.is_standby:
            self.is_standby = False
            event(log, logging.INFO, "the server was promoted: claiming anew")
        if not self.is_draining and (self._join() or self.membership.announce_again(seen)):
            seen = self._glance(control)
        self._discover(control, seen)
        self.beat()
        self.settle()
        self._tell(control)
        return (
            f"carries {len(self.owned)} of {len(self.pipelines)} pipelines among {len(self.membership.members)} relays"
        )

    def settle(self) -> None:
        """Give back what nobody here works on any more, take what is ours, and have it carried."""
        if self._link.locks is None:
            self._carriers.carry(())
            return
        held = self._link.held_names()
        decision = claims.decide(self.mine, held, self._carriers.in_hand)
        if decision.release:
            self._link.release(decision.release)
            self.membership.ring()
        self._link.take(decision.take)
        after = self._link.held_names()
        if after != held:
            event(
                log, logging.INFO, "claims changed", held=len(after), gained=len(after - held), lost=len(held - after)
            )
        claim = Claim(self._options.group_id, self._link.locks.backend_pid)
        self._carriers.carry(replace(self.pipelines[name], claim=claim) for name in sorted(self.owned))

    def beat(self) -> None:
        """A heartbeat, when one is due."""
        why = self.membership.beat()
        if why is not None and not self.is_draining:
            self.lose_locks(why)

    def lose_locks(self, why: str) -> None:
        """Without the lock session nothing is ours."""
        if self._link.locks is not None:
            event(log, logging.WARNING, "the lock session is lost: all claims are dropped", why=why)
        self._forget_claims()

    def drain(self) -> None:
        """Claim nothing more, and have everything let go."""
        self.is_draining = True
        self.mine = frozenset()
        self._carriers.leave()
        try:
            self._link.leave()
        except psycopg.Error:
            self._link.close()

    def let_go(self) -> None:
        """While draining: give back what the carriers have let go of, so that others go on with it at once."""
        held = self._link.held_names() - self._carriers.in_hand
        if held:
            self._link.release(held)
            self.membership.ring()

    def discover_soon(self) -> None:
        """Read the pipelines at the next turn, whatever the token says."""
        self._read_at = _NEVER

    def _control(self) -> Connection[Any]:
        if is_lost(self._link.control):
            self._link.drop_control()
            self._read_at = _NEVER
        return self._link.connect()

    def _glance(self, control: Connection[Any]) -> observe.Glance:
        return observe.glance(control, self._options.members_of, "relay_token")

    def _join(self) -> bool:
        joined = self.membership.join()
        if joined:
            self._read_at = _NEVER
        return joined

    def _discover(self, control: Connection[Any], seen: observe.Glance) -> None:
        """Read the pipelines when they changed or enough time has passed; compute our share when anything did."""
        now = self._clock.monotonic()
        has_new_members = self.membership.note(seen)
        has_new_catalog = seen.catalog_token != self._token or now - self._read_at >= self._options.discovery_seconds
        if has_new_catalog:
            found = observe.read_pipelines(control)
            self.pipelines, self._keys = found.rows, found.keys
            self._token = seen.catalog_token or ""
            self._read_at = now
        if (has_new_members or has_new_catalog) and not self.is_draining:
            units: dict[int, set[str]] = {}
            for name, key in self._keys.items():
                units.setdefault(key, set()).add(name)  # names that hash alike share one lock, hence one owner
            owners = claims.assign(units.keys(), self.membership.members)
            us = self._link.instance_id
            self.mine = frozenset(name for key, names in units.items() if owners.get(key) == us for name in names)

    def _tell(self, control: Connection[Any]) -> None:
        """Write down how our pipelines fare, when that changed or was long ago."""
        now = self._clock.monotonic()
        standings: Mapping[str, Standing] = self._carriers.standings
        facts = {name: (told.state.value, told.reason) for name, told in standings.items() if name in self.owned}
        is_old = now - self._told_at >= _TELL_AGAIN_SECONDS
        if is_old:
            self._told_at = now
        new = {name: fact for name, fact in facts.items() if is_old or self._told.get(name) != fact}
        self._told = facts
        if new:
            parameters = {
                "instance_id": self._link.instance_id,
                "names": list(new),
                "states": [state for state, _ in new.values()],
                "reasons": [reason for _, reason in new.values()],
            }
            control.execute(load("queries/relay_tell"), parameters)

    def _wait_for_promotion(self) -> str:
        if not self.is_standby:
            event(log, logging.INFO, "the server is a standby: waiting for its promotion")
        self.is_standby = True
        self._forget_claims()
        return "waits on a standby"

    def _forget_claims(self) -> None:
        self.membership.forget()
        self.mine = frozenset()
        self._carriers.carry(())
        self._read_at = _NEVER
