CREATE FUNCTION pgtrickle.disable_inbox_ordering(inbox text, if_exists boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box pgtrickle.pgt_inbox_config := pgtrickle._find_inbox(inbox, if_exists);
BEGIN
    IF box.aggregate_id_col IS NULL THEN
        IF if_exists THEN
            RETURN;
        END IF;
        RAISE EXCEPTION 'ordering is not enabled for inbox: %', inbox USING ERRCODE = '42704';
    END IF;
    PERFORM pgtrickle.drop_stream_table(box.inbox_schema || '.next_' || inbox);
    UPDATE pgtrickle.pgt_inbox_config i SET aggregate_id_col = NULL, sequence_num_col = NULL WHERE i.inbox_name = inbox;
END
$fn$;
