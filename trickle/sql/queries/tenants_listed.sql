-- The tenants of the table.
SELECT t.tenant_id, t.url, t.schema_name, t.weight, t.is_suspended FROM pgtrickle.tenants t
