-- After a statement that has written a source of IMMEDIATE stream tables, when its changes are captured. They are
-- brought up to date when the last statement in progress ends: one that writes several sources (a data-modifying WITH,
-- a cascade, a trigger that writes) shows rows that are not captured yet, and they would be counted twice.
CREATE FUNCTION pgtrickle._statement_ends() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $fn$
DECLARE
    state  bigint[] := pgtrickle._unseal();
    source bigint := TG_ARGV[0]::bigint;
BEGIN
    IF state IS NULL THEN
        RAISE EXCEPTION 'the beginning of this statement on %.% was lost', TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING ERRCODE = '55000', DETAIL = 'IMMEDIATE stream tables cannot tell which of its changes are new.',
                  HINT = 'Do not write the setting pg_trickle.statement, nor RESET ALL, within a statement.';
    END IF;
    IF source <> ALL (state[3:]) THEN
        state := state || source;
    END IF;
    IF state[1] > 1 THEN
        state[1] := state[1] - 1;
        PERFORM pgtrickle._seal(state, false);
    ELSE
        -- Still in progress while stream tables are written, which may be sources themselves.
        PERFORM pgtrickle._settle_statement(state[2], state[3:]);
        PERFORM set_config('pg_trickle.statement', '', true);
    END IF;
    RETURN NULL;
END
$fn$;
