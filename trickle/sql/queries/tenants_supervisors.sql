-- The live supervisors of a group. %(group)s.
SELECT s.host, s.process_pid, s.session_pid, s.hot_pool_max, s.tenants, s.waiting,
       (SELECT count(*) FROM pgtrickle.hot_tenants h WHERE h.session_pid = s.session_pid AND h.lock_group = s.lock_group) AS hot
FROM pgtrickle.tenant_supervisors s JOIN pg_stat_activity a ON a.pid = s.session_pid
WHERE s.lock_group = %(group)s
ORDER BY s.host, s.process_pid
