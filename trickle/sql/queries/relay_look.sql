-- The tables of a pipeline's outbox, and what is committed now. %(name)s.
SELECT o.outbox_table_name, o.delta_table_name, CASE WHEN o.pgt_id IS NOT NULL THEN o.outbox_name END,
       pg_current_snapshot()::text
  FROM pgtrickle.pgt_relay_pipelines AS p
  JOIN pgtrickle.pgt_outbox_config AS o USING (outbox_name)
 WHERE p.pipeline_name = %(name)s
