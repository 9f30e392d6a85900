-- The tenants of the table, and since when each is hot in a group. %(group)s.
SELECT t.tenant_id AS tenant, t.schema_name AS schema, t.weight, t.is_suspended, h.promoted_on AS hot_since
FROM pgtrickle.tenants t LEFT JOIN pgtrickle.hot_tenants h ON h.tenant_id = t.tenant_id AND h.lock_group = %(group)s
ORDER BY t.tenant_id
