-- Where may a refresh run? Its frontier is exact only if nothing of a statement in progress is half visible.
CREATE FUNCTION pgtrickle._assert_refreshable_here() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    writes constant text := '^\s*(insert|update|delete|merge)\M|^\s*with\M.*\m(insert\s+into|delete\s+from|merge\s+into|update\s+\S+.*\mset)\M';
    stack  text;
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'cannot refresh a stream table on a standby server'
            USING ERRCODE = '22023', HINT = 'Connect to the primary server.';
    END IF;
    IF pg_trigger_depth() > 0 THEN
        RAISE EXCEPTION 'cannot refresh a stream table from within a trigger'
            USING ERRCODE = '55000', HINT = 'Refresh in a statement of its own, after the writing statement has ended.';
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed'
       AND current_setting('pg_trickle.unit', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'cannot refresh a stream table in a % transaction', current_setting('transaction_isolation')
            USING ERRCODE = '25001', HINT = 'Its snapshot may be older than a TRUNCATE or an attached partition: use READ COMMITTED.';
    END IF;
    -- Only a transaction that has written can have a half-captured row. What runs now is known by its text alone.
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        GET DIAGNOSTICS stack = PG_CONTEXT;
        IF stack ~* '(^|\n)SQL statement "\s*(insert|update|delete|merge)\M'
           OR current_query() ~* writes AND current_query() !~ ';\s*\S' THEN
            RAISE EXCEPTION 'cannot refresh a stream table from within a statement that writes'
                USING ERRCODE = '55000', HINT = 'Refresh in a statement of its own, after the writing statement has ended.';
        END IF;
    END IF;
END
$fn$;
