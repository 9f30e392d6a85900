-- Make this tenant ours, and write down why; whether it is. %(group)s, %(tenant)s, %(why)s.
WITH ours AS MATERIALIZED (
    SELECT pg_try_advisory_lock(hashtext(%(group)s), hashtext(%(tenant)s)) AS is_ours
), written AS (
    INSERT INTO pgtrickle.hot_tenants AS h (tenant_id, lock_group, session_pid, reason)
    SELECT %(tenant)s, %(group)s, pg_backend_pid(), %(why)s FROM ours WHERE is_ours
    ON CONFLICT (lock_group, tenant_id) DO UPDATE
    SET session_pid = excluded.session_pid, reason = excluded.reason, promoted_on = clock_timestamp()
)
SELECT is_ours FROM ours
