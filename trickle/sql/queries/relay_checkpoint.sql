-- Move the place of a pipeline. %(group)s, %(epoch)s, %(prev)s, %(cur)s, %(through_id)s.
SELECT pgtrickle._relay_checkpoint(%(group)s, %(epoch)s, %(prev)s::pg_snapshot, %(cur)s::pg_snapshot, %(through_id)s)
