"""One instance among others: joining, heartbeats, watching the next one, and ending those that fell silent.

    glance ──note──▶ members ──ring.successor──▶ watch ──its end──▶ look at once ──ring──▶ and so do the others
    beat ──▶ a row that peers read, and who has not written theirs ──vigil──▶ end their sessions

What follows from who is there (shares, claims) is the instance's business.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import psycopg
from psycopg import Connection

from trickle.clock import Clock
from trickle.db.locks import LockKey, LockName, instance_name
from trickle.logs import event
from trickle.sql import load
from trickle.supervisor.claims import Member
from trickle.supervisor.link import NotAdmitted, ServerLink, is_lost
from trickle.supervisor.observe import Glance
from trickle.supervisor.options import InstanceOptions
from trickle.supervisor.ring import must_tell, successor
from trickle.supervisor.vigil import Vigil, beaten, may_judge
from trickle.supervisor.watch import Watch

log = logging.getLogger(__name__)

MEMBERS = "members"  # the word of a doorbell that asks for a look at members and claims
_NEVER = float("-inf")
# Locks do not get lost while their session lives: this check is for what nobody thought of.
_CHECK_LOCKS_SECONDS = 5.0


class Membership:
    """Who is in the group, and our place in it."""

    def __init__(self, options: InstanceOptions, link: ServerLink, clock: Clock) -> None:
        self.members: tuple[Member, ...] = ()
        self.watch = Watch(options.lock_url)
        self._options = options
        self._link = link
        self._clock = clock
        self._watched: tuple[str, LockKey] | None = None
        self._vigil: Vigil | None = None
        self._silent: frozenset[str] = frozenset()
        self._heard: tuple[Any, ...] | None = None
        self._beat_at = self._checked_at = _NEVER
        link.meanwhile = self._pulse_meanwhile

    @property
    def next_beat(self) -> float | None:
        """When the next heartbeat is due, in monotonic seconds; None while there is nobody to beat for."""
        return self._beat_at + self._options.heartbeat_seconds if self._link.locks is not None else None

    def join(self) -> bool:
        """Become a member, if we are none and may try; whether we just did."""
        now = self._clock.monotonic()
        if self._link.locks is not None or not self._link.may_try(now):
            return False
        try:
            self._link.join()
        except NotAdmitted:
            wait = round(self._link.failed(now), 2)
            event(log, logging.WARNING, "another session holds our instance id", retry_seconds=wait)
            return False
        except psycopg.Error:
            self._link.failed(now)
            raise
        self._link.succeeded()
        self._beat_at, self._vigil = now, None
        event(log, logging.INFO, "joined", instance=self._link.instance_id, group=self._options.group_id)
        self.ring()
        return True

    def announce_again(self, seen: Glance) -> bool:
        """A repair of the catalog forgets all instances; whoever holds its membership is one still."""
        us = self._link.instance_id
        if self._link.locks is None or any(member.instance_id == us for member in seen.members):
            return False
        self._link.announce()
        return True

    def note(self, seen: Glance) -> bool:
        """Take over who is there; whether anything about it is new."""
        is_new = seen.members != self.members
        if is_new:
            before, us = self._names(), self._link.instance_id
            self.members = seen.members
            names = self._names()
            event(log, logging.INFO, "members changed", count=len(names), members=", ".join(names))
            if must_tell(before, names, us):
                self.ring()
        self._aim()
        return is_new

    def beat(self) -> str | None:
        """When it is time: say that we live, and end those who do not say so. Why we are no member, if we are none."""
        locks, control = self._link.locks, self._link.control
        self._pulse()
        heard, self._heard = self._heard, None
        if heard is None or locks is None:
            return None
        now = self._clock.monotonic()
        if now >= self._checked_at + _CHECK_LOCKS_SECONDS:
            self._checked_at = now
            if not locks.is_intact():
                return "the server does not show our locks"
        if not heard[0]:
            return "our announcement was removed"
        can_judge = self._vigil is not None and may_judge(self._vigil, self._options.silent_seconds)
        silent = frozenset(heard[1]) if can_judge else frozenset()
        if silent and control is not None and not is_lost(control):
            self._end_silent(control, silent)
        self._silent = silent
        return None

    def _pulse(self) -> None:
        """A heartbeat, on the lock session: a slow statement of the control session must not silence us."""
        now, locks = self._clock.monotonic(), self._link.locks
        if locks is None or now < self._beat_at + self._options.heartbeat_seconds:
            return
        self._beat_at = now
        self._heard = locks.beat({"instance_id": self._link.instance_id, **self._silence()})
        silence = self._options.silent_seconds
        self._vigil = beaten(self._vigil, self._clock.monotonic(), silence / 2 + self._options.heartbeat_seconds)

    def _pulse_meanwhile(self) -> None:
        """In the middle of another statement, which must not fail for it: the loop meets the same trouble soon."""
        with contextlib.suppress(psycopg.Error):
            self._pulse()

    def ring(self) -> None:
        """Have all instances look at members and claims now."""
        control = self._link.control
        if control is not None and not is_lost(control):
            control.execute(load("queries/instance_ring"), {"payload": MEMBERS})

    def hear(self) -> bool:
        """Whether the instance that we watch has ended."""
        return self.watch.hear(self._clock.monotonic())

    def forget(self) -> None:
        """We are no member any more."""
        self._link.drop_locks()
        self.watch.close()
        self.members = ()

    def _aim(self) -> None:
        locks = self._link.locks
        if locks is None:
            self.watch.close()
            return
        peer = successor(self._names(), self._link.instance_id)
        if peer is None:
            self._watched = None
        elif self._watched is None or self._watched[0] != peer:
            self._watched = (peer, locks.key_of(LockName(self._options.members_of, instance_name(peer))))
        key = self._watched[1] if self._watched is not None else None
        self.watch.aim(key, self._clock.monotonic(), locks.cancel_watch)

    def _names(self) -> list[str]:
        return [member.instance_id for member in self.members]

    def _silence(self) -> dict[str, object]:
        return {"group_id": self._options.members_of, "silent_seconds": self._options.silent_seconds}

    def _end_silent(self, control: Connection[Any], silent: frozenset[str]) -> None:
        parameters = {"instance_ids": sorted(silent), **self._silence()}
        ended = dict(control.execute(load("queries/instance_end_silent"), parameters).fetchall())
        for instance_id, count in ended.items():
            event(
                log,
                logging.WARNING,
                "an instance is silent: its sessions are ended",
                peer=instance_id,
                silent_seconds=self._options.silent_seconds,
                sessions=count,
            )
        # Asked for again at every heartbeat, said once.
        for instance_id in sorted(silent - ended.keys() - self._silent):
            event(
                log,
                logging.WARNING,
                "an instance is silent, and its sessions are not ours to end: it has another role",
                peer=instance_id,
            )
