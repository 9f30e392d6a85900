-- What was made for stream tables, sources or snapshots that are no more, with the statement that removes it.
WITH relation AS (
    SELECT format('%%I.%%I', n.nspname, c.relname) AS name, c.relkind, c.relname, n.nspname
      FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('pgtrickle_programs', 'pgtrickle_changes') AND c.relkind IN ('r', 'v')
), belongs AS (
    SELECT r.*, substring(r.relname FROM '^(?:query|next|stored|state|state_query|restored)_(\d+)')::bigint AS pgt_id,
           substring(r.relname FROM '^(?:changes|polled)_(\d+)$')::bigint AS source_id,
           substring(r.relname FROM '^snapshot_(\d+)_state_')::bigint AS snapshot_id
      FROM relation AS r
)
SELECT b.name AS what, format('DROP %%s %%s', CASE b.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, b.name) AS statement
  FROM belongs AS b
 WHERE b.pgt_id IS NOT NULL AND NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables AS s WHERE s.pgt_id = b.pgt_id)
    OR b.source_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_change_tracking AS t WHERE t.source_id = b.source_id)
    OR b.snapshot_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM pgtrickle.pgt_snapshots AS k WHERE k.snapshot_id = b.snapshot_id)
 UNION ALL
SELECT 'trigger ' || trim(t.tgname) || ' on ' || t.tgrelid::regclass,
       format('DROP TRIGGER %%I ON %%s', t.tgname, t.tgrelid::regclass)
  FROM pg_catalog.pg_trigger AS t
  JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
 WHERE t.tgname LIKE ' pgt\_capture\_%%' AND p.pronamespace = 'pgtrickle_changes'::regnamespace
   AND NOT EXISTS (SELECT FROM pgtrickle.pgt_change_tracking AS c
                    WHERE p.proname LIKE format('capture\_%%s\_%%%%', c.source_id))
 UNION ALL
SELECT format('stream table %%s.%%s, whose storage was dropped', s.pgt_schema, s.pgt_name),
       format('SELECT pgtrickle.drop_stream_table(%%L)', s.pgt_schema || '.' || s.pgt_name)
  FROM pgtrickle.pgt_stream_tables AS s
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = s.pgt_relid)
 UNION ALL
SELECT format('the memory of snapshot %%s.%%s, whose table was dropped', k.snapshot_schema, k.snapshot_table),
       format('SELECT pgtrickle.drop_snapshot(%%L)', k.snapshot_schema || '.' || k.snapshot_table)
  FROM pgtrickle.pgt_snapshots AS k
 WHERE to_regclass(format('%%I.%%I', k.snapshot_schema, k.snapshot_table)) IS NULL
 ORDER BY 1
