CREATE FUNCTION pgtrickle.drop_watermark_group(group_name text) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    relids oid[] := (SELECT g.source_relids FROM pgtrickle.pgt_watermark_groups g WHERE g.group_name = drop_watermark_group.group_name);
BEGIN
    IF relids IS NULL THEN
        RAISE EXCEPTION 'watermark group not found: %', group_name
            USING ERRCODE = '42704', HINT = 'SELECT group_name FROM pgtrickle.watermark_groups() lists them.';
    END IF;
    PERFORM pgtrickle._assert_source_writer(c.oid) FROM pg_class c WHERE c.oid = ANY (relids);
    DELETE FROM pgtrickle.pgt_watermark_groups g WHERE g.group_name = drop_watermark_group.group_name;
    PERFORM pgtrickle._ring();
END
$fn$;
