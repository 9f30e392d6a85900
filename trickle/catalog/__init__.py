"""The catalog: what Trickle keeps in the database, and how Python reads and changes it.

    migrate         installs or upgrades the schemas pgtrickle, pgtrickle_changes and pgtrickle_programs (Alembic)
    tables          the same tables as SQLAlchemy Core describes them, for the comparison with a database
    introspect      a bound query in the server  →  Facts, frozen, for the pure compiler
    install         Facts → program, checked and installed with the rights of the stream table's owner
    explain         a query  →  how it would be kept, without creating anything
    stream_tables   records of stream tables, claims and instances, read only

The database is the truth and acts alone: creating, refreshing and dropping are functions in the schema
pgtrickle that any client may call, each in the caller's own transaction. Python adds what PostgreSQL cannot
do, compiling a query into a differential program, and what must happen beside it.

    created ──▶ none ──compile──▶ compiled ──a source changed──▶ stale ──compile──▶ compiled
                  └──────────────▶ full_only (no delta rule; the reason is kept)

Invariants: a frontier and the rows it speaks for commit together; a stream table is filled only after the
capture of its sources; an identity that is not this database's own stops every refresh until
`pgtrickle.restore_stream_tables()` was called.

Nothing here imports the client, the worker, the scheduler, the supervisor or the command line.
"""
