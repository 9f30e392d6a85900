"""What tests share: a server per session, a fresh database per test.

    server (session)  ── trickle.embedded.temporary ──▶ one PostgreSQL per pytest process, gone with it
        │
        ├─ template (session)   a database with the catalog, owned by the unprivileged role `app_owner`
        │      └─ db            a copy of it for one test, dropped afterwards
        └─ empty_db             a database owned by `app_owner`, without catalog

`TRICKLE_PG_BIN` chooses the server. Everything tests do, they do as `app_owner`, who is no superuser: what
works here works on a hosted database. `Database.superuser_url` is for arranging what an application cannot.

Without a server, tests that need one are skipped and the header says so; with `CI=true` they fail.

Import from here as `from support.databases import Database`: `tests/` is on the path, the checkout is not,
so that under tox the installed package is what is tested.
"""
