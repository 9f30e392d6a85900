-- Hand a buffer or capture function to the owner of the catalog, who prunes and repairs it later.
CREATE FUNCTION pgtrickle._adopt(object_kind text, identity text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF current_user <> pgtrickle._catalog_owner() THEN
        EXECUTE format('ALTER %s %s OWNER TO %I', object_kind, identity, pgtrickle._catalog_owner());
    END IF;
END
$fn$;
