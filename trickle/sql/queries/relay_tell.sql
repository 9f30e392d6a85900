-- How these pipelines fare. %(instance_id)s, %(names)s, %(states)s, %(reasons)s: side by side.
INSERT INTO pgtrickle.pgt_relay_states AS s (pipeline_name, instance_id, state, reason)
SELECT t.name, %(instance_id)s, t.state, t.reason
  FROM unnest(%(names)s::text[], %(states)s::text[], %(reasons)s::text[]) AS t(name, state, reason)
  JOIN pgtrickle.pgt_relay_pipelines AS p ON p.pipeline_name = t.name
    ON CONFLICT (pipeline_name) DO UPDATE
   SET instance_id = excluded.instance_id,
       state = excluded.state,
       reason = excluded.reason,
       since = CASE WHEN s.state = excluded.state AND s.instance_id = excluded.instance_id THEN s.since
                    ELSE clock_timestamp() END,
       told_at = clock_timestamp()
