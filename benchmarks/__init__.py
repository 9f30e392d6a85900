"""Benchmarks: each file answers one written question, and checks every answer before it reports a time.

    python -m benchmarks refresh    How long does it take to bring a result up to date after a change?
    python -m benchmarks capture    What does an application pay for having its writes captured?
    python -m benchmarks failover   How long does nobody work on a stream table when an instance fails?
    python -m benchmarks latency    How long after a commit does the stream table show it?
    python -m benchmarks scale      What does an instance cost when there are very many stream tables?
    python -m benchmarks pool       Is the pool of workers too small, too large, or is the scheduler the bottleneck?
    python -m benchmarks restore    How long does it take to put a stream table back from a snapshot?

    server ──▶ a database of its own ──▶ shapes (tables, queries) ──▶ changes (batches)
                                                │
                 contenders, floors ──▶ measure (interleaved, medians, EXCEPT ALL) ──▶ report

What is compared is compared in one run, in turns, on one server: a machine that is busy for a while is busy for
everybody, so ratios hold where milliseconds do not. Every figure is a median of at least five. Before a time is
reported, what was timed is compared as a bag with the query it stands for; a difference ends the run with an error
and no figures.

Goals are stated for 1 000 000 rows. With another number of rows their values are shown and `met` is null.

The server is a throw-away one with the settings in `server.SETTINGS`, or that of `--postgres-url`, where a database
is created and dropped again. All sessions that refresh run with `synchronous_commit = off`, as Trickle's workers do,
and so do the rivals: waiting for the disk is the same for all and would hide the differences.

Nothing in the product imports this package. It drives the product the way users do: stream tables are created
through `trickle.connect(url)`, and refreshed by the code of the worker's own subprocess (`trickle.worker.jobs`).
"""
