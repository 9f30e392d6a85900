"""When a stream table is refreshed, and in which order. Pure: no connection, no clock, no process.

    schedule text ──parse──▶ Schedule ─┐
    catalog rows ────────────▶ Table ──┼─ due.judge ──▶ Verdict (wait, refresh, touch, compile)
    "has changes" (one query) ─────────┘                   │
    dependencies ──▶ graph.Graph ──▶ together, units.divide ──▶ Unit ──▶ order.ready ──▶ what to start now
    what instances say of themselves ──▶ quota.settle ──▶ how many at once

`Memory` keeps what only time teaches (what runs, what failed, since when something waits); `Book` is a memory that asks
the three pure parts. The supervisor feeds it observations and carries out its `Plan`. Nothing here knows processes or
locks.

Rules that hold:

- A unit is started as a whole, and not while a member of it runs, nor before the retry time of any.
- Bands and tiers decide who goes first; nobody is started twice before everybody who was due had a turn.
- An upstream that is due or running goes first, but only once: after it finished a refresh, or after
  `PATIENCE_SECONDS`, what waited for it goes. A chain is refreshed in order and nothing starves.
- Due without changes costs no refresh: the moment is noted (`touch`) and that is all.
- A refresh that changed rows means changes for its direct downstreams; they are looked at again at once.

It imports the hall; never db, worker or supervisor.
"""
