CREATE FUNCTION pgtrickle._create_watermark_group(group_name text, relids oid[], tolerance_secs float8) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    made int;
BEGIN
    IF coalesce(cardinality(relids), 0) < 2 THEN
        RAISE EXCEPTION 'invalid argument: a watermark group has two sources or more' USING ERRCODE = '22023';
    ELSIF btrim(group_name) = '' THEN
        RAISE EXCEPTION 'invalid argument: a watermark group has a name' USING ERRCODE = '22023';
    ELSIF NOT tolerance_secs BETWEEN 0 AND 1e9 THEN
        RAISE EXCEPTION 'invalid argument: tolerance_secs is %, and must be between 0 and 1000000000', tolerance_secs
            USING ERRCODE = '22023';
    END IF;
    PERFORM pgtrickle._assert_source_writer(r) FROM unnest(relids) r;
    INSERT INTO pgtrickle.pgt_watermark_groups AS g (group_name, source_relids, tolerance_secs)
    VALUES (_create_watermark_group.group_name, relids, _create_watermark_group.tolerance_secs)
    ON CONFLICT DO NOTHING RETURNING g.group_id INTO made;
    IF made IS NULL THEN
        RAISE EXCEPTION 'watermark group already exists: %', group_name
            USING ERRCODE = '42710', HINT = format('SELECT pgtrickle.drop_watermark_group(%L) drops it.', group_name);
    END IF;
    PERFORM pgtrickle._ring();
    RETURN made;
END
$fn$;
