-- Take away what the compiler has put into a stream table's storage: indexes and hidden columns, named __pgt_…, and what
-- it declared NOT NULL. Changes the catalogs only, and keeps readers out until this transaction ends.
CREATE FUNCTION pgtrickle._strip_storage(storage regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    item    record;
    changes text;
BEGIN
    FOR item IN
        SELECT i.indexrelid::regclass AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = storage AND c.relname LIKE '\_\_pgt\_%'
    LOOP
        EXECUTE format('DROP INDEX %s', item.name);
    END LOOP;
    SELECT string_agg(format(CASE WHEN a.attname LIKE '\_\_pgt\_%' THEN 'DROP COLUMN %I'
                                  ELSE 'ALTER COLUMN %I DROP NOT NULL' END, a.attname), ', ' ORDER BY a.attnum)
    INTO changes
    FROM pg_attribute a
    WHERE a.attrelid = storage AND a.attnum > 0 AND NOT a.attisdropped
      AND (a.attname LIKE '\_\_pgt\_%' OR a.attnotnull AND NOT EXISTS (
              SELECT FROM pg_index i WHERE i.indrelid = storage AND i.indisprimary AND a.attnum = ANY (i.indkey::smallint[])));
    IF changes IS NOT NULL THEN
        EXECUTE format('ALTER TABLE %s %s', storage, changes);
    END IF;
END
$fn$;
