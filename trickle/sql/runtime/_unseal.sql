-- What was noted of the statement in progress: NULL when there is none, or when somebody else wrote the setting. In a
-- session that has begun no such statement, currval refuses what somebody else wrote.
CREATE FUNCTION pgtrickle._unseal() RETURNS bigint[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    said  text := current_setting('pg_trickle.statement', true);
    key   text;
    noted text;
BEGIN
    IF said IS NULL OR said = '' THEN
        RETURN NULL;
    END IF;
    key := currval('pgtrickle_changes.statement_seq');
    noted := left(said, -32);
    RETURN CASE WHEN right(said, 32) = md5(key || noted || key) THEN noted::bigint[] END;
END
$fn$;
