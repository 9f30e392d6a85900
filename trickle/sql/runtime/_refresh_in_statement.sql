-- Bring one IMMEDIATE stream table up to date with what the statement in progress has written, those changes numbered
-- above `since`: by its program, or in full where it has none, or where what it was compiled against has changed.
-- Before the locks of the program a look tells what to do, and after them whether that is still so.
CREATE FUNCTION pgtrickle._refresh_in_statement(pgt_id bigint, since bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    guarded text := current_setting('pg_trickle.refreshing', true);
    st      record;
    outcome pgtrickle.refresh_outcome;
    locked  text := 'none';
    why     text;
    stale   boolean;
BEGIN
    PERFORM set_config('pg_trickle.refreshing', _refresh_in_statement.pgt_id::text, true);
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- What an old snapshot shows of it may no longer be so; then this is a conflict.
        PERFORM FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _refresh_in_statement.pgt_id FOR SHARE;
    END IF;
    LOOP
        SELECT s.updated_at, s.needs_reinit, s.program_state,
               s.refresh_mode = 'IMMEDIATE' AND s.is_populated AND s.status IN ('ACTIVE', 'INITIALIZING') AS kept
        INTO st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _refresh_in_statement.pgt_id;
        IF NOT FOUND OR NOT st.kept THEN
            -- Whoever fills it waits for the lock, and then sees what was written here.
            EXIT WHEN locked <> 'none';
            PERFORM pg_advisory_xact_lock_shared(1953655660, _refresh_in_statement.pgt_id::int);
            locked := 'shared';
            CONTINUE;
        END IF;
        stale := pgtrickle._stale_stamp(_refresh_in_statement.pgt_id);
        IF why IS NULL AND NOT stale AND NOT st.needs_reinit AND st.program_state = 'compiled' THEN
            outcome := pgtrickle._run_immediate(_refresh_in_statement.pgt_id, since, st.updated_at);
            EXIT WHEN outcome.action IN ('IMMEDIATE', 'NO_DATA');
            CONTINUE WHEN outcome.action = 'CHANGED';
            why := outcome.reason;
        END IF;
        IF locked = 'exclusive' THEN
            IF stale THEN
                why := concat_ws('; ', why, pgtrickle._revalidate_in_statement(_refresh_in_statement.pgt_id));
                why := nullif(why, '');
                -- Nothing that matters was changed.
                CONTINUE WHEN why IS NULL;
            END IF;
            PERFORM pgtrickle._recompute_in_statement(_refresh_in_statement.pgt_id, why);
            EXIT;
        END IF;
        PERFORM pg_advisory_xact_lock(1953655660, _refresh_in_statement.pgt_id::int);
        locked := 'exclusive';
    END LOOP;
    PERFORM set_config('pg_trickle.refreshing', coalesce(guarded, ''), true);
END
$fn$;
