-- The indexes that lookups of a program ask for and that no index of the source serves: one that begins with any of the
-- columns is enough. A small source is read whole as fast.
CREATE FUNCTION pgtrickle._missing_indexes(lookups jsonb)
RETURNS TABLE (source_table text, column_names text[], source_rows float8, statement text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH lookup AS (
        SELECT c.oid AS relid, l.columns
        FROM jsonb_to_recordset(coalesce(lookups, '[]')) AS l(schema text, "table" text, columns text[])
        JOIN pg_namespace n ON n.nspname = l.schema
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = l.table AND c.relkind IN ('r', 'p', 'm')
    ), missing AS (
        SELECT l.relid, l.columns
        FROM lookup l
        WHERE NOT EXISTS (
            SELECT FROM pg_index i
            JOIN pg_class ic ON ic.oid = i.indexrelid
            JOIN pg_am am ON am.oid = ic.relam AND am.amname IN ('btree', 'hash')
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = l.relid AND i.indisvalid AND i.indpred IS NULL AND a.attname = ANY (l.columns))
    )
    SELECT m.relid::regclass::text, m.columns, s.row_count,
           format('CREATE INDEX ON %s (%s)', m.relid::regclass,
                  (SELECT string_agg(quote_ident(u.c), ', ' ORDER BY u.n) FROM unnest(m.columns) WITH ORDINALITY u(c, n)))
    FROM missing m
    CROSS JOIN LATERAL (
        SELECT sum(greatest(c.reltuples, 0))::float8 AS row_count, sum(pg_relation_size(c.oid)) AS bytes
        FROM pgtrickle._members(m.relid) p JOIN pg_class c ON c.oid = p.member AND c.relkind IN ('r', 'm')) s
    -- An index on fewer of the columns serves this lookup as well.
    WHERE (s.row_count >= 1000 OR s.bytes >= 131072)
      AND NOT EXISTS (SELECT FROM missing o WHERE o.relid = m.relid AND o.columns <@ m.columns AND o.columns <> m.columns)
    ORDER BY 1, 2
$fn$;
