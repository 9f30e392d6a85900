-- Let another supervisor have this tenant. %(group)s, %(tenant)s.
WITH gone AS (
    DELETE FROM pgtrickle.hot_tenants h
    WHERE h.lock_group = %(group)s AND h.tenant_id = %(tenant)s AND h.session_pid = pg_backend_pid()
)
SELECT pg_advisory_unlock(hashtext(%(group)s), hashtext(%(tenant)s))
