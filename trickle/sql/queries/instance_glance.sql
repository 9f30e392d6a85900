-- Everything that may have changed since the last tick, as one row.
-- Live members are the announced instances whose membership lock is held: a row alone proves nothing.
-- The catalog token covers what decides about scheduling, not what every refresh writes.
-- %(group_id)s, %(with_catalog)s: whether to look at the catalog too, which takes longer the more there is in it.
SELECT pg_is_in_recovery() AS in_recovery,
       clock_timestamp() AS database_now,
       coalesce((SELECT (pg_control_system()).system_identifier = i.system_identifier
                        AND i.database_oid = d.oid
                        AND i.catalog_oid = to_regclass('pgtrickle.identity')::oid
                   FROM pgtrickle.identity AS i), false) AS is_identical,
       CASE WHEN %(with_catalog)s THEN
       (SELECT coalesce(sum(hashtextextended(concat_ws('|', s.pgt_id, s.pgt_relid, s.pgt_schema, s.pgt_name, s.schedule,
                   s.refresh_tier, s.refresh_mode, s.status, s.is_populated, s.needs_reinit, s.program_state,
                   s.program_version, s.consecutive_errors, s.diamond_consistency, s.diamond_schedule_policy,
                   s.freshness_deadline_ms, s.defining_query), 0)), 0)::text
          FROM pgtrickle.pgt_stream_tables AS s)
       || (SELECT coalesce(sum(hashtextextended(h.pgt_id || h.reason, 0)), 0)::text FROM pgtrickle.held AS h)
       || (SELECT coalesce(sum(hashtextextended(g.*::text, 0)), 0)::text FROM pgtrickle.pgt_refresh_groups AS g)
       || (SELECT coalesce(sum(hashtextextended(c.name || c.value, 0)), 0)::text FROM pgtrickle.pgt_settings AS c)
       || (SELECT coalesce(sum(hashtextextended(concat_ws('|', r.setdatabase, r.setrole, r.setconfig), 0)), 0)::text
             FROM pg_catalog.pg_db_role_setting AS r WHERE r.setdatabase IN (0, d.oid))
       END AS catalog_token,
       (SELECT coalesce(array_agg(m.instance_id || '=' || m.capacity || '=' || m.lock_budget ORDER BY m.instance_id), '{}')
          FROM (SELECT DISTINCT i.instance_id, i.capacity, i.lock_budget
                  FROM pgtrickle.pgt_instances AS i
                  JOIN pgtrickle._memberships AS h USING (group_id, instance_id)
                 WHERE i.group_id = %(group_id)s) AS m) AS members
  FROM pg_catalog.pg_database AS d
 WHERE d.datname = current_database()
