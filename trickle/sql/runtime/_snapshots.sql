CREATE FUNCTION pgtrickle._snapshots(label text)
RETURNS TABLE (snapshot_table text, created_at timestamptz, row_count bigint, frontier jsonb, size_bytes bigint,
               stream_table text, next_refresh text, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT n.nspname || '.' || c.relname, (a.about ->> 'taken_at')::timestamptz, (a.about ->> 'row_count')::bigint,
           a.about -> 'frontier', pg_total_relation_size(c.oid), a.about ->> 'stream_table',
           CASE WHEN f.fault IS NULL THEN 'DIFFERENTIAL' ELSE 'FULL' END, f.fault
    FROM pg_description d
    JOIN pg_class c ON c.oid = d.objoid AND c.relkind = 'r'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (SELECT d.description::jsonb AS about OFFSET 0) a
    LEFT JOIN pgtrickle.pgt_snapshots s ON s.token = (a.about ->> 'token')::uuid
    CROSS JOIN LATERAL (SELECT pgtrickle._snapshot_fault(s) AS fault OFFSET 0) f
    WHERE d.classoid = 'pg_class'::regclass AND d.objsubid = 0 AND d.description LIKE '{%"trickle_snapshot"%}'
      AND (label IS NULL OR a.about ->> 'stream_table' = label)
    ORDER BY 2 DESC, 1
$fn$;
