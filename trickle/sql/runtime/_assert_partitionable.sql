-- A stream table that its writers keep up to date, many of them at once, is not parted.
CREATE FUNCTION pgtrickle._assert_partitionable(partition_by text, mode text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF partition_by <> '' AND mode = 'IMMEDIATE' THEN
        RAISE EXCEPTION 'invalid argument: partition_by does not go with refresh_mode "IMMEDIATE"'
            USING ERRCODE = '22023', HINT = 'Leave partition_by out, or use refresh_mode => ''DIFFERENTIAL'' with a schedule.';
    END IF;
END
$fn$;
