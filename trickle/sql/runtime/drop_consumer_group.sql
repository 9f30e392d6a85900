CREATE FUNCTION pgtrickle.drop_consumer_group(name text, if_exists boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    DELETE FROM pgtrickle.pgt_consumer_groups g WHERE g.group_name = name;
    IF NOT FOUND AND NOT if_exists THEN
        PERFORM pgtrickle._lock_group(name);
    END IF;
END
$fn$;
