-- The place of a pipeline, under a new number that fences off whoever carried it before. %(name)s; %(group_id)s and
-- %(backend_pid)s: the claim, or NULL.
SELECT b.outbox_table, b.delta_table, b.stream_table, b.prev::text, b.cur::text, b.delivered_id, b.epoch
  FROM pgtrickle._relay_begin(%(name)s, %(group_id)s, %(backend_pid)s) AS b
