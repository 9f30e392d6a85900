-- The relations a query view reads, through views too.
SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
       pgtrickle._key_attnums(c.oid) AS key,
       CASE WHEN c.relkind = 'v' THEN pgtrickle._view_text(c.oid) END AS view_sql,
       EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) AS has_children,
       row_security_active(c.oid) AS row_security,
       has_any_column_privilege(c.oid, 'SELECT') AS readable,
       t.source_id AS buffer, coalesce(t.captured_attnums, '{}') AS captured,
       greatest(c.reltuples, 0)::float8 AS rows
FROM pgtrickle._query_sources(%(view)s) s
JOIN pg_class c ON c.oid = s.relid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pgtrickle.pgt_change_tracking t ON t.source_relid = c.oid
ORDER BY c.oid
