-- What a supervisor says of itself, in place of what those said that are gone. %(group)s, %(host)s, %(process)s, %(most)s,
-- %(tenants)s, %(waiting)s.
WITH cold AS (
    DELETE FROM pgtrickle.hot_tenants h
    WHERE h.session_pid <> pg_backend_pid() AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = h.session_pid)
), gone AS (
    DELETE FROM pgtrickle.tenant_supervisors s
    WHERE s.session_pid <> pg_backend_pid() AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = s.session_pid)
)
INSERT INTO pgtrickle.tenant_supervisors AS s (session_pid, lock_group, host, process_pid, hot_pool_max, tenants, waiting)
VALUES (pg_backend_pid(), %(group)s, %(host)s, %(process)s, %(most)s, %(tenants)s, %(waiting)s)
ON CONFLICT (session_pid) DO UPDATE
SET lock_group = excluded.lock_group, host = excluded.host, process_pid = excluded.process_pid,
    hot_pool_max = excluded.hot_pool_max, tenants = excluded.tenants, waiting = excluded.waiting,
    said_on = clock_timestamp()
