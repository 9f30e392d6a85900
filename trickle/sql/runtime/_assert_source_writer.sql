-- Gates and watermarks decide when the stream tables of others are refreshed: they are for who may write the source, and
-- for who may maintain the catalog.
CREATE FUNCTION pgtrickle._assert_source_writer(relid oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF NOT has_table_privilege(relid, 'INSERT, UPDATE, DELETE') AND NOT pg_has_role(pgtrickle._catalog_owner()::name, 'USAGE') THEN
        RAISE EXCEPTION 'permission denied: must be able to write %', relid::regclass USING ERRCODE = '42501';
    END IF;
END
$fn$;
