CREATE FUNCTION pgtrickle.disable_inbox_priority(inbox text, if_exists boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box pgtrickle.pgt_inbox_config := pgtrickle._find_inbox(inbox, if_exists);
BEGIN
    IF box.priority_col IS NULL AND NOT if_exists THEN
        RAISE EXCEPTION 'priority is not enabled for inbox: %', inbox USING ERRCODE = '42704';
    END IF;
    UPDATE pgtrickle.pgt_inbox_config i SET priority_col = NULL, tiers = NULL WHERE i.inbox_name = inbox;
END
$fn$;
