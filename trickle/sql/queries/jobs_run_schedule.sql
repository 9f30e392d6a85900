-- %(schedule)s, %(planned)s, %(next_on)s, %(problem)s.
SELECT _run_schedule(%(schedule)s, %(planned)s::timestamptz, %(next_on)s::timestamptz, %(problem)s::text)
