"""Random worlds: schemas, data, statements and queries drawn by Hypothesis, refreshed, and compared.

    types ─▶ worlds (tables) ─▶ queries (over tables, views, stream tables)
                  └───────────▶ writes (statements)
    trial: create ─▶ (write ─▶ refresh ─▶ compare) × cycles ─▶ drop
    steps: sessions, prepared transactions and refreshers, moved one at a time by one thread

Everything drawn is a frozen value that prints as the SQL it stands for, so a failing example is a script.
Never sleeps, never waits: a step that would block is given up and counts as not taken.
"""
