-- Say which column holds the priority of a message, the lowest first, and what its values are called.
CREATE FUNCTION pgtrickle.enable_inbox_priority(inbox text, priority_col text, tiers jsonb DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box pgtrickle.pgt_inbox_config := pgtrickle._find_inbox(inbox);
BEGIN
    IF box.aggregate_id_col IS NOT NULL THEN
        RAISE EXCEPTION 'inbox ordering and priority config conflict for inbox: %', inbox
            USING ERRCODE = '55000', HINT = 'pgtrickle.disable_inbox_ordering(inbox) first.';
    END IF;
    PERFORM pgtrickle._assert_inbox_columns(box, ARRAY[priority_col]);
    UPDATE pgtrickle.pgt_inbox_config i
    SET priority_col = enable_inbox_priority.priority_col, tiers = enable_inbox_priority.tiers WHERE i.inbox_name = inbox;
END
$fn$;
