-- The hot tenants of a group: what was written down, as far as the lock says the same. %(group)s.
SELECT h.tenant_id AS tenant, h.reason, h.promoted_on, s.host, s.process_pid, h.session_pid
FROM pgtrickle.hot_tenants h
JOIN pg_locks l ON l.pid = h.session_pid AND l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
               AND l.classid::bigint = hashtext(h.lock_group)::bigint & 4294967295
               AND l.objid::bigint = hashtext(h.tenant_id)::bigint & 4294967295
               AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
LEFT JOIN pgtrickle.tenant_supervisors s ON s.session_pid = h.session_pid
WHERE h.lock_group = %(group)s
ORDER BY h.promoted_on
