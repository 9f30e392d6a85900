-- Bring every IMMEDIATE stream table up to date that reads what a statement has written, those above it included. Each
-- comes after all that it reads, so it meets the changes of the whole diamond at once. A trigger of the user's on a
-- stream table may write a source again: then its readers come once more, for what is new to them.
CREATE FUNCTION pgtrickle._settle_statement(since bigint, written bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    most_rounds constant int := 1000;
    waiting bigint[] := '{}';
    done    bigint[] := '{}';
    until   bigint[] := '{}';  -- for each of those done: up to where
    next    bigint;
    place   int;
    now_seq bigint;
BEGIN
    -- A transaction without a number has written nothing, and shall not get one for having looked.
    IF pg_current_xact_id_if_assigned() IS NULL THEN
        RETURN;
    END IF;
    IF current_setting('session_replication_role') = 'replica' THEN
        PERFORM set_config('pg_trickle.settled', 'on', true);
    END IF;
    FOR round IN 1..most_rounds LOOP
        IF cardinality(written) > 0 THEN
            PERFORM pgtrickle._assert_sources_seen(written);
            waiting := waiting || ARRAY(SELECT i.pgt_id FROM pgtrickle.pgt_immediate i WHERE i.source_id = ANY (written));
            PERFORM pgtrickle._seal(ARRAY[1, since], false);
        END IF;
        IF cardinality(waiting) = 0 THEN
            RETURN;
        END IF;
        next := waiting[1];
        IF cardinality(waiting) > 1 THEN
            SELECT i.pgt_id INTO STRICT next FROM pgtrickle.pgt_immediate i
            WHERE i.pgt_id = ANY (waiting) ORDER BY i.place, i.pgt_id LIMIT 1;
        END IF;
        waiting := array_remove(waiting, next);
        place := array_position(done, next);
        now_seq := nextval('pgtrickle_changes.change_seq');
        PERFORM pgtrickle._refresh_in_statement(next, coalesce(until[place], since));
        IF place IS NULL THEN
            done := done || next;
            until := until || now_seq;
        ELSE
            until[place] := now_seq;
        END IF;
        written := (pgtrickle._unseal())[3:];
    END LOOP;
    RAISE EXCEPTION 'IMMEDIATE stream tables keep changing: gave up after % refreshes in one statement', most_rounds
        USING ERRCODE = '54001', HINT = 'A trigger on a stream table writes to a table that it reads, without end.';
END
$fn$;
