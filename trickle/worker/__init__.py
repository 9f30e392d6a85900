"""The refresh subprocess: the child side of an instance. It does what it is told, one job at a time.

    parent ──job over a pipe──▶ child ──one SQL call──▶ PostgreSQL
    parent ◀──answer───────────┘

A child is forked from the instance, lives long (its session caches the plans of the programs it runs), has
one connection and one pipe, and decides nothing: which job, when, and what a failure means is the parent's
business.

    starting ──Hello──▶ waiting ──job──▶ working ──Done / Failed──▶ waiting ──Stop or end of pipe──▶ exit

- It cannot outlive its parent: the kernel kills it when the parent dies (PR_SET_PDEATHSIG), and the end of
  the pipe ends it where the kernel does not.
- It owns nothing of its parent but its own pipe, its log channel and the standard streams; every other
  inherited descriptor is replaced by /dev/null before anything is opened. A copy of the lock session's
  socket in a child would keep the claims of a dead parent alive.
- Signals meant for the instance (Ctrl-C, a service manager's SIGTERM to the whole group) are ignored: the
  parent decides, finishes what is in hand and then says Stop.
- Its exit code speaks: see `exits`.

It imports the hall, db, sql and (only when a compile job arrives) catalog; never scheduler or supervisor.
"""
