-- Make the users' indexes and constraints of one storage on another, which is to take its place. Where a column is gone
-- they are left out, with a notice. Names must wait until the old ones are free: returns the statements that give them.
CREATE FUNCTION pgtrickle._copy_indexes(old_storage regclass, new_storage regclass) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    item     record;
    number   int := 0;
    name     text;
    schema   text := (SELECT c.relnamespace::regnamespace::text FROM pg_class c WHERE c.oid = old_storage);
    renaming text[] := '{}';
BEGIN
    FOR item IN
        SELECT c.conname AS name, true AS is_constraint, format('ALTER TABLE %s ADD CONSTRAINT %%I %s', new_storage,
               replace(pg_get_constraintdef(c.oid), '%', '%%')) AS command
        FROM pg_constraint c WHERE c.conrelid = old_storage AND c.contype IN ('p', 'u', 'x', 'c', 'f')
        UNION ALL
        SELECT c.relname, false, format('CREATE %sINDEX %%I ON %s%s', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
               new_storage, replace(substr(d.text, length(d.prefix) + 1), '%', '%%'))
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        CROSS JOIN LATERAL (
            SELECT pg_get_indexdef(c.oid) AS text, format('CREATE %sINDEX %I ON %s%s',
                CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname,
                CASE WHEN c.relkind = 'I' THEN 'ONLY ' ELSE '' END, old_storage) AS prefix) d
        WHERE i.indrelid = old_storage AND i.indisvalid AND c.relname NOT LIKE '\_\_pgt\_%'
          AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.conrelid = old_storage)
        ORDER BY 2 DESC, 1
    LOOP
        number := number + 1;
        name := format('__pgt_aside_%s_%s', new_storage::oid, number);
        BEGIN
            EXECUTE format(item.command, name);
            renaming := renaming || CASE WHEN item.is_constraint
                THEN format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', old_storage, name, item.name)
                ELSE format('ALTER INDEX %s.%I RENAME TO %I', schema, name, item.name) END;
        EXCEPTION WHEN undefined_column OR undefined_function OR undefined_object OR datatype_mismatch THEN
            RAISE WARNING '% % of % was not kept: %', CASE WHEN item.is_constraint THEN 'constraint' ELSE 'index' END,
                quote_ident(item.name), old_storage, SQLERRM;
        END;
    END LOOP;
    RETURN renaming;
END
$fn$;
