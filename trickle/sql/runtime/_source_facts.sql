-- What a program relies on, in words that can be compared: when a stamp differs, this decides whether it matters.
-- Column names matter to compiled text; ids of members tell an attached or detached partition.
CREATE FUNCTION pgtrickle._source_facts(relid oid) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT jsonb_build_object(
        'name', c.relnamespace::regnamespace::text || '.' || c.relname,
        'kind', c.relkind,
        'columns', (
            SELECT jsonb_agg(jsonb_build_object(
                       'attnum', a.attnum, 'name', a.attname, 'type', a.atttypid::regtype::text, 'typmod', a.atttypmod,
                       'notnull', a.attnotnull, 'collation', a.attcollation::int8, 'generated', a.attgenerated)
                       ORDER BY a.attnum)
            FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
        'unique', (
            SELECT coalesce(jsonb_agg(pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisprimary THEN ' primary' ELSE '' END
                       ORDER BY i.indexrelid), '[]')
            FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate),
        'members', (SELECT jsonb_agg(m.member::int8 ORDER BY m.member) FROM pgtrickle._members(c.oid) m),
        'row_security', CASE WHEN c.relrowsecurity THEN (
            SELECT coalesce(jsonb_agg(jsonb_build_array(p.polname, p.polcmd, p.polpermissive, p.polroles::text,
                       pg_get_expr(p.polqual, p.polrelid)) ORDER BY p.polname), '[]')
            FROM pg_policy p WHERE p.polrelid = c.oid) END,
        'force_row_security', c.relforcerowsecurity,
        'triggers', pgtrickle._trigger_stamp(c.oid),
        'definition', CASE WHEN c.relkind IN ('v', 'm') THEN md5(pg_get_viewdef(c.oid)) END)
    FROM pg_class c WHERE c.oid = _source_facts.relid
$fn$;
