-- The next messages of a window. %(outbox_table)s, %(prev)s, %(cur)s, %(after_id)s, %(most)s, %(most_bytes)s.
SELECT r.*
  FROM pgtrickle._relay_read(%(outbox_table)s, %(prev)s::pg_snapshot, %(cur)s::pg_snapshot, %(after_id)s, %(most)s,
                             %(most_bytes)s) AS r
