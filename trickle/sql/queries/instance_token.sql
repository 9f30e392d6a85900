-- A fingerprint of what decides about scheduling, not of what every refresh writes. It takes longer the more there is.
SELECT (SELECT coalesce(sum(hashtextextended(concat_ws('|', s.pgt_id, s.pgt_relid, s.pgt_schema, s.pgt_name, s.schedule,
                   s.refresh_tier, s.refresh_mode, s.status, s.is_populated, s.needs_reinit, s.program_state,
                   s.program_version, s.consecutive_errors, s.diamond_consistency, s.diamond_schedule_policy,
                   s.freshness_deadline_ms, s.defining_query), 0)), 0)::text
          FROM pgtrickle.pgt_stream_tables AS s)
       || (SELECT coalesce(sum(hashtextextended(h.pgt_id || h.reason, 0)), 0)::text FROM pgtrickle.held AS h)
       || (SELECT coalesce(sum(hashtextextended(g.*::text, 0)), 0)::text FROM pgtrickle.pgt_refresh_groups AS g)
       || (SELECT coalesce(sum(hashtextextended(c.name || c.value, 0)), 0)::text FROM pgtrickle.pgt_settings AS c)
       || (SELECT coalesce(sum(hashtextextended(concat_ws('|', r.setdatabase, r.setrole, r.setconfig), 0)), 0)::text
             FROM pg_catalog.pg_db_role_setting AS r
            WHERE r.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())))
