-- The place of a pipeline, under a new number that fences off whoever carried it before. %(name)s.
SELECT b.outbox_table, b.delta_table, b.stream_table, b.prev::text, b.cur::text, b.delivered_id, b.epoch
  FROM pgtrickle._relay_begin(%(name)s) AS b
