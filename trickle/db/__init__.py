"""The only door to PostgreSQL: how sessions open, which locks exist, which failures deserve a retry.

    url ──▶ session.connect ──▶ psycopg connection ──▶ catalog, worker, supervisor
    names ─▶ locks.LockSession (one dedicated session of an instance holds all of its advisory locks)
    SQLSTATE ─▶ retry.kind_of (pure)

Facts that shape this room:

- A session advisory lock lives exactly as long as its session, so a dead instance lets go of everything by
  dying. Nothing else may run on that session, and no pooler may stand in front of it: behind one, the lock
  would belong to whichever client is served next. `conn.info.backend_pid` (told at start-up) differs from
  `pg_backend_pid()` (told by the server process) exactly when something stands between; `is_pooled` asks
  that.
- The lock table counts acquisitions per session and key, and two names may hash to one key. We take a server
  lock once per key, remember the names behind it, and give it back with the last of them.
- A lock is permission to try. Whose work counts is decided by the row lock inside a refresh.

It imports the hall and `trickle.sql`; it never imports the compiler, the catalog or anything above.
"""
