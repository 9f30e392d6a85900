-- Direct writes to a stream table would be overwritten or break its delta; only its own refresh may write it.
CREATE FUNCTION pgtrickle._guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF current_setting('pg_trickle.refreshing', true) IS DISTINCT FROM TG_ARGV[0] THEN
        RAISE EXCEPTION 'cannot change stream table %.% directly', TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING ERRCODE = '42809',
                  HINT = 'Change its source tables, then SELECT pgtrickle.refresh_stream_table(…), '
                         'or use pgtrickle.drop_stream_table to remove it.';
    END IF;
    RETURN NULL;
END
$fn$;
