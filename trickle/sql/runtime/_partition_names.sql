-- The statements that give the partitions of new storage, made aside, their names beside the stream table: those of the
-- old partitions of the same rows, else names after `base`.
CREATE FUNCTION pgtrickle._partition_names(old_storage regclass, new_storage regclass, schema text, aside text, base text)
RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT coalesce(array_agg(s.command ORDER BY n.oid, s.number) FILTER (WHERE s.command IS NOT NULL), '{}')
    FROM pg_inherits i
    JOIN pg_class n ON n.oid = i.inhrelid
    LEFT JOIN LATERAL (
        SELECT o.relname, o.relnamespace::regnamespace::text AS place
        FROM pg_inherits h JOIN pg_class o ON o.oid = h.inhrelid
        WHERE h.inhparent = old_storage AND pg_get_expr(o.relpartbound, o.oid) = pg_get_expr(n.relpartbound, n.oid)
          AND pg_get_partkeydef(old_storage) = pg_get_partkeydef(new_storage)) same ON true
    CROSS JOIN LATERAL (VALUES
        (1, format('ALTER TABLE pgtrickle_programs.%I SET SCHEMA %s', n.relname, coalesce(same.place, quote_ident(schema)))),
        (2, format('ALTER TABLE %s.%I RENAME TO %I', coalesce(same.place, quote_ident(schema)), n.relname,
                   coalesce(same.relname, left(base, 55) || substr(n.relname, length(aside) + 1)))),
        (3, (SELECT string_agg(format('ALTER INDEX %s.%I RENAME TO %I', coalesce(same.place, quote_ident(schema)), x.relname,
                                      left(base, 30) || substr(x.relname, length(aside) + 1)), '; ')
             FROM pg_index d JOIN pg_class x ON x.oid = d.indexrelid AND starts_with(x.relname, aside)
             WHERE d.indrelid = n.oid))) s(number, command)
    WHERE i.inhparent = new_storage
$fn$;
