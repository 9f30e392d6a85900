-- A frontier counts only in the database it was made in: after a restore, a copy or a dump into another cluster its
-- transaction ids mean nothing, and reading them as "no changes" would lose rows silently.
CREATE FUNCTION pgtrickle._assert_identity() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pgtrickle.identity i
        WHERE i.system_identifier = (SELECT c.system_identifier FROM pg_control_system() c)
          AND i.database_oid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND i.catalog_oid = 'pgtrickle.identity'::regclass::oid)
    THEN
        RAISE EXCEPTION 'the catalog of Trickle was made in another database or server: stream tables are stopped'
            USING ERRCODE = '55000', HINT = 'Run SELECT pgtrickle.restore_stream_tables() once; each is then refreshed in full.';
    END IF;
END
$fn$;
