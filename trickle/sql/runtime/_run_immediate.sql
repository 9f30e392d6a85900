-- Run the program of an IMMEDIATE stream table. In a transaction with an old snapshot a group that somebody else has
-- made since cannot be seen, only met: that is a conflict like any other, and the transaction can be tried again.
CREATE FUNCTION pgtrickle._run_immediate(pgt_id bigint, since bigint, asked timestamptz)
RETURNS pgtrickle.refresh_outcome
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    call    text := format('SELECT * FROM pgtrickle_programs.immediate_%s($1, $2)', pgt_id);
    outcome pgtrickle.refresh_outcome;
BEGIN
    IF current_setting('transaction_isolation') = 'read committed' THEN
        EXECUTE call INTO outcome USING since, asked;
        RETURN outcome;
    END IF;
    BEGIN
        EXECUTE call INTO outcome USING since, asked;
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'could not serialize access: another transaction has added the same row to a stream table'
            USING ERRCODE = '40001', DETAIL = SQLERRM, HINT = 'The transaction might succeed if retried.';
    END;
    RETURN outcome;
END
$fn$;
