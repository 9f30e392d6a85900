-- A fingerprint of the pipelines.
SELECT coalesce(sum(hashtextextended(concat_ws('|', p.pipeline_name, p.enabled, p.changed_at), 0)), 0)::text
  FROM pgtrickle.pgt_relay_pipelines AS p
