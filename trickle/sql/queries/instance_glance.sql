-- Everything about a group of instances that may have changed since the last tick, as one row. %(group_id)s.
-- Live members are the announced instances whose membership lock is held: a row alone proves nothing.
SELECT pg_is_in_recovery() AS in_recovery,
       clock_timestamp() AS database_now,
       coalesce((SELECT (pg_control_system()).system_identifier = i.system_identifier
                        AND i.database_oid = d.oid
                        AND i.catalog_oid = to_regclass('pgtrickle.identity')::oid
                   FROM pgtrickle.identity AS i), false) AS is_identical,
       (SELECT coalesce(array_agg(m.instance_id || '=' || m.capacity || '=' || m.lock_budget ORDER BY m.instance_id), '{}')
          FROM (SELECT DISTINCT i.instance_id, i.capacity, i.lock_budget
                  FROM pgtrickle.pgt_instances AS i
                  JOIN pgtrickle._memberships AS h USING (group_id, instance_id)
                 WHERE i.group_id = %(group_id)s) AS m) AS members
  FROM pg_catalog.pg_database AS d
 WHERE d.datname = current_database()
