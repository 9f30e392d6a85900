-- The relations a query view reads, through views too. Where a copy stands in for a polled source, all but the name is
-- said of the copy that this stream table's refreshes bring up to date.
SELECT r.oid::int8 AS oid, n.nspname AS schema, c.relname AS name, r.relkind::text AS kind,
       pgtrickle._key_attnums(r.oid) AS key,
       CASE WHEN c.relkind = 'v' THEN pgtrickle._view_text(c.oid) END AS view_sql,
       EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid) AS has_children,
       row_security_active(c.oid) AS row_security,
       has_any_column_privilege(c.oid, 'SELECT') AS readable,
       t.source_id AS buffer, coalesce(t.captured_attnums, '{}') AS captured,
       CASE WHEN r.oid <> c.oid THEN r.relname END AS copied_to,
       greatest(c.reltuples, r.reltuples, 0)::float8 AS rows
FROM pgtrickle._query_sources(%(view)s) s
JOIN pg_class c ON c.oid = s.relid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pgtrickle.pgt_dependencies d ON d.source_relid = c.oid AND d.cdc_mode = 'POLL'
    AND format('query_%%s', d.pgt_id) = (SELECT v.relname FROM pg_class v WHERE v.oid = %(view)s)
-- One or the other, each by its index.
LEFT JOIN LATERAL (
    SELECT t.* FROM pgtrickle.pgt_change_tracking t WHERE d.source_id IS NULL AND t.source_relid = c.oid
    UNION ALL
    SELECT t.* FROM pgtrickle.pgt_change_tracking t WHERE t.source_id = d.source_id) t ON true
JOIN pg_class r ON r.oid = CASE WHEN d.source_id IS NULL THEN c.oid ELSE t.source_relid END
ORDER BY c.oid
