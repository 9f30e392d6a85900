-- A refresh group of stream tables that exist. Each is in one group at most; IMMEDIATE ones are kept by their writers.
CREATE FUNCTION pgtrickle._create_refresh_group(group_name text, pgt_ids bigint[], isolation text) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    st record;
    id int;
BEGIN
    isolation := coalesce(pgtrickle._choose('isolation', isolation, '{read_committed,repeatable_read}'), 'read_committed');
    IF coalesce(btrim(group_name), '') = '' THEN
        RAISE EXCEPTION 'invalid argument: a refresh group needs a name' USING ERRCODE = '22023';
    ELSIF cardinality(pgt_ids) < 2 THEN
        RAISE EXCEPTION 'invalid argument: refresh group "%" needs two different members', group_name USING ERRCODE = '22023';
    END IF;
    LOCK TABLE pgtrickle.pgt_refresh_groups IN SHARE ROW EXCLUSIVE MODE;
    FOR st IN
        SELECT s.*, g.group_name AS other FROM pgtrickle.pgt_stream_tables s
        LEFT JOIN pgtrickle.pgt_refresh_groups g ON s.pgt_id = ANY (g.member_pgt_ids)
        WHERE s.pgt_id = ANY (pgt_ids) ORDER BY s.pgt_id
    LOOP
        IF st.other IS NOT NULL THEN
            RAISE EXCEPTION 'invalid argument: stream table %.% is a member of refresh group "%"', st.pgt_schema, st.pgt_name, st.other
                USING ERRCODE = '22023', HINT = 'A stream table is in one refresh group at most.';
        ELSIF st.refresh_mode = 'IMMEDIATE' THEN
            RAISE EXCEPTION 'invalid argument: stream table %.% is IMMEDIATE', st.pgt_schema, st.pgt_name
                USING ERRCODE = '22023', HINT = 'Its writers keep it up to date; no worker refreshes it.';
        END IF;
    END LOOP;
    PERFORM pgtrickle._assert_owner(s) FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY (pgt_ids);
    INSERT INTO pgtrickle.pgt_refresh_groups (group_name, member_pgt_ids, isolation)
    VALUES (_create_refresh_group.group_name, pgt_ids, _create_refresh_group.isolation) RETURNING group_id INTO id;
    PERFORM pgtrickle._ring();
    RETURN id;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'invalid argument: there is a refresh group "%" already', group_name USING ERRCODE = '22023';
END
$fn$;
