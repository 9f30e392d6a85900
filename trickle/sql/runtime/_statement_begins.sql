-- Before a statement that writes a source of an IMMEDIATE stream table: note that it has begun. The setting holds how
-- many such statements are in progress, the number from which their changes count, and the sources written so far.
-- It belongs to the transaction, so what is rolled back to a savepoint was never begun.
CREATE FUNCTION pgtrickle._statement_begins() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    state bigint[] := pgtrickle._unseal();
BEGIN
    IF state IS NULL THEN
        PERFORM pgtrickle._seal(ARRAY[1, nextval('pgtrickle_changes.change_seq')], true);
    ELSE
        state[1] := state[1] + 1;
        PERFORM pgtrickle._seal(state, false);
    END IF;
    RETURN NULL;
END
$fn$;
