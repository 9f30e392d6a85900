-- The window after one that is read to its end. %(outbox_table)s, %(cur)s.
SELECT w.cur::text, w.after_id
  FROM pgtrickle._relay_window(%(outbox_table)s, %(cur)s::pg_snapshot) AS w
