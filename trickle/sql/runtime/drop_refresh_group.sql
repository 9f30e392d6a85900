CREATE FUNCTION pgtrickle.drop_refresh_group(group_name text) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    members bigint[];
BEGIN
    DELETE FROM pgtrickle.pgt_refresh_groups g WHERE g.group_name = drop_refresh_group.group_name
    RETURNING g.member_pgt_ids INTO members;
    IF members IS NULL THEN
        RAISE EXCEPTION 'stream table not found: refresh group ''%'' does not exist', group_name
            USING ERRCODE = '42P01', HINT = 'SELECT group_name FROM pgtrickle.refresh_groups() lists them.';
    END IF;
    PERFORM pgtrickle._assert_owner(s) FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY (members);
    PERFORM pgtrickle._ring();
END
$fn$;
