-- Take away what the compiler added for the old query: its program with its own tables, its stored view, hidden columns and indexes,
-- all named __pgt_… or after the stream table's number.
CREATE FUNCTION pgtrickle._strip_program(pgt_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
#variable_conflict use_column
DECLARE
    storage regclass := (SELECT s.pgt_relid::regclass FROM pgtrickle.pgt_stream_tables s
                         WHERE s.pgt_id = _strip_program.pgt_id);
    item    record;
BEGIN
    FOR item IN
        SELECT p.oid::regprocedure AS signature FROM pg_proc p
        WHERE p.pronamespace = 'pgtrickle_programs'::regnamespace
          AND p.proname ~ format('^(refresh|immediate)_%s(_[a-z0-9_]*)?$', _strip_program.pgt_id)
    LOOP
        EXECUTE format('DROP FUNCTION %s', item.signature);
    END LOOP;
    PERFORM pgtrickle._drop_states(_strip_program.pgt_id);
    IF to_regclass(format('pgtrickle_programs.stored_%s', _strip_program.pgt_id)) IS NOT NULL THEN
        EXECUTE format('DROP VIEW pgtrickle_programs.stored_%s', _strip_program.pgt_id);
    END IF;
    FOR item IN
        SELECT i.indexrelid::regclass AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = storage AND c.relname LIKE '\_\_pgt\_%'
    LOOP
        EXECUTE format('DROP INDEX %s', item.name);
    END LOOP;
    FOR item IN
        SELECT a.attname FROM pg_attribute a
        WHERE a.attrelid = storage AND a.attnum > 0 AND NOT a.attisdropped AND a.attname LIKE '\_\_pgt\_%'
    LOOP
        EXECUTE format('ALTER TABLE %s DROP COLUMN %I', storage, item.attname);
    END LOOP;
    FOR item IN
        SELECT a.attname FROM pg_attribute a
        WHERE a.attrelid = storage AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', storage, item.attname);
    END LOOP;
    DELETE FROM pgtrickle.pgt_differential_costs c WHERE c.pgt_id = _strip_program.pgt_id;
    UPDATE pgtrickle.pgt_stream_tables s
    SET program_state = 'none', program_version = NULL, program_reason = NULL, program_explain = NULL
    WHERE s.pgt_id = _strip_program.pgt_id;
END
$fn$;
