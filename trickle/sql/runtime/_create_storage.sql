-- Create the table that holds a stream table's rows, empty, with the guard that keeps direct writes out.
CREATE FUNCTION pgtrickle._create_storage(pgt_id bigint, schema_name text, table_name text, partition_by text) RETURNS oid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    storage text := format('%I.%I', schema_name, table_name);
BEGIN
    BEGIN
        PERFORM pgtrickle._make_storage(storage, format('pgtrickle_programs.query_%s', pgt_id)::regclass, partition_by, table_name);
    EXCEPTION WHEN duplicate_table OR duplicate_object OR unique_violation THEN
        -- Two creators at once meet in whichever catalog table is written first.
        RAISE EXCEPTION 'relation % already exists', storage
            USING ERRCODE = '42P07', HINT = 'Choose another name, or drop what has it.';
    END;
    PERFORM pgtrickle._guard_storage(pgt_id, storage::regclass);
    RETURN storage::regclass::oid;
END
$fn$;
