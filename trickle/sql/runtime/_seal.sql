-- Note which statement is in progress, where any session may write as well: a setting. The number of the statement, which
-- nobody outside sees or guesses, seals what is written; a statement that begins has a new one.
CREATE FUNCTION pgtrickle._seal(state bigint[], begins boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    key text := CASE WHEN begins THEN nextval('pgtrickle_changes.statement_seq')
                     ELSE currval('pgtrickle_changes.statement_seq') END;
BEGIN
    PERFORM set_config('pg_trickle.statement', state::text || md5(key || state::text || key), true);
END
$fn$;
