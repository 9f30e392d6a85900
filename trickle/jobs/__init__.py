"""Jobs: work that is put into a queue in one transaction and done by a runner after it has committed.

    enqueue (SQL or Python, the caller's transaction) ──▶ pgtrickle.job ──lease──▶ handler ──outcomes──▶ pgtrickle.job
                                                            ▲ retry, hand back, reclaim ┘

A runner has one session with which it leases, acknowledges and maintains, and which holds an advisory lock on the
runner's number: when the process dies the server lets go of the lock, and any other runner takes its jobs over. A
second session listens. Promises, and who keeps them:

- No job is lost, and none is done twice at once: a lease has an epoch, which everything that is said of it carries.
  (`ledger`, and the functions of the schema pgtrickle)
- Attempts count, however they ended, and have a ceiling; a time budget ends what takes too long. (`attempt`)
- Who enqueues never waits for a runner, and notifies only when one sleeps. (`doorbell`)
- A database that goes away costs no job that runs: the session is opened again, the lock taken again, and what is
  still leased goes on. (`runner`)

Flows in: handlers, registered with `job`. This package imports db and below; never supervisor or cli.
"""
