"""The instance: a parent process that owns the claims, decides what is refreshed when, and never refreshes.

    catalog, members, changes ──observe──▶ Book.plan ──▶ jobs ──▶ state.step ──▶ children (forked)
    signals, answers, exits ───────────────────────────────────▶ state.step ──▶ spawn, send, ask, kill, finish
    names of lock sessions ──pool, scheduler.quota──▶ how many jobs at once; jobs ──journal──▶ pgt_scheduler_jobs
    members + names ──claims.decide──▶ take / release on the lock session
    watch (a blocked wait for the end of a peer), doorbells ──▶ observe, at once

One thread, one loop: wait for whatever comes first (an answer, an exit, a signal, a doorbell, the tick),
feed it to the pure parts, carry out what they say. Reading is in `observe`, deciding in `state`, `claims`,
`ring`, `vigil`, `pruning` and the scheduler, acting in `children`, `link`, `watch`, `membership` and `instance`;
`loop` is the turn of the wheel.

    fleet:  running ──signal──▶ stopping ──all children gone──▶ stopped
    child:  resting ─▶ starting ─▶ idle ⇄ busy          resting: not running, waits for its time to start
                                   └──▶ leaving / killed ─▶ resting (running) or gone (stopping)

Invariants:

- A stream table is worked on only while its claim is held; a claim goes back only when no job of it is in
  hand.
- Losing the lock session loses all claims: nothing new is started until it is open again and they are taken
  anew.
- On a standby there are no claims: the instance is alive, waits, and starts over on promotion.
- Every member is watched by another one, the next before it in the ring; whoever stops beating is ended by any.
- At most one process per slot; none is started while stopping; every one that was started is reaped.
- One bad turn is logged and does not end the instance; it ends by a signal, or because its configuration is
  wrong.

Exit codes are in `options`. This package imports client, worker, scheduler and everything below; never cli
or demo.
"""

from __future__ import annotations

from trickle.supervisor.loop import run_worker
from trickle.supervisor.options import WorkerOptions

__all__ = ["WorkerOptions", "run_worker"]
