-- All pipelines, with the lock keys of their names.
SELECT p.pipeline_name, p.direction, p.outbox_name, p.group_name, p.inbox_name, p.enabled, p.connector, p.options,
       hashtext(p.pipeline_name)
  FROM pgtrickle.pgt_relay_pipelines AS p
 ORDER BY p.pipeline_name
