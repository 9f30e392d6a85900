-- The rows, the frontier and the tables of the program belong together: the frontier is locked, as a refresh locks it, and
-- so nothing moves between the statements that read them. The table describes itself in its comment, which travels with
-- pg_dump; what the program keeps stays behind, since elsewhere a frontier means nothing.
CREATE FUNCTION pgtrickle._snapshot(st pgtrickle.pgt_stream_tables, target text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
#variable_conflict use_column
DECLARE
    label  text := st.pgt_schema || '.' || st.pgt_name;
    wanted text[];
    made   text;
    kept   pgtrickle.pgt_snapshots;
    f      pgtrickle.pgt_frontiers;
    state  record;
BEGIN
    PERFORM pgtrickle._assert_owner(st);
    PERFORM pgtrickle._assert_identity();
    target := coalesce(target, format('pgtrickle.snapshot_%s_%s', left(regexp_replace(label, '\W', '_', 'g'), 36),
                                      (extract(epoch FROM clock_timestamp()) * 1000)::bigint));
    wanted := pgtrickle._split_name(target, 'public');
    IF to_regnamespace(quote_ident(wanted[1])) IS NULL THEN
        RAISE EXCEPTION 'schema "%" does not exist', wanted[1] USING ERRCODE = '3F000';
    ELSIF octet_length(wanted[2]) NOT BETWEEN 1 AND 63 THEN
        RAISE EXCEPTION 'invalid argument: "%" is not a name of 1 to 63 bytes', wanted[2] USING ERRCODE = '42602';
    END IF;
    made := format('%I.%I', wanted[1], wanted[2]);
    IF to_regclass(made) IS NOT NULL THEN
        RAISE EXCEPTION 'snapshot already exists: %', target
            USING ERRCODE = '42P07', HINT = format('Choose another name, or SELECT pgtrickle.drop_snapshot(%L).', target);
    END IF;

    SELECT t.* INTO STRICT f FROM pgtrickle.pgt_frontiers t WHERE t.pgt_id = st.pgt_id FOR NO KEY UPDATE;
    DELETE FROM pgtrickle.pgt_snapshots s WHERE s.snapshot_schema = wanted[1] AND s.snapshot_table = wanted[2];
    EXECUTE format('CREATE TABLE %s AS SELECT %s FROM %s', made,
                   (SELECT coalesce(string_agg(quote_ident(c.name), ', ' ORDER BY c.place), '') FROM pgtrickle._stored_columns(st.pgt_relid) c),
                   st.pgt_relid::regclass);
    GET DIAGNOSTICS kept.row_count = ROW_COUNT;
    INSERT INTO pgtrickle.pgt_snapshots
        (pgt_id, snapshot_schema, snapshot_table, epoch, snapshot, own_xid, own_seq, basis, row_count, data_timestamp)
    VALUES (st.pgt_id, wanted[1], wanted[2], (SELECT i.epoch FROM pgtrickle.identity i),
            CASE WHEN st.is_populated AND NOT st.needs_reinit THEN f.snapshot END,
            f.own_xid, f.own_seq, pgtrickle._snapshot_basis(st), kept.row_count, st.data_timestamp)
    RETURNING * INTO kept;
    FOR state IN SELECT k.* FROM pgtrickle._state_tables(st.pgt_id) k LOOP
        EXECUTE format('CREATE TABLE pgtrickle_programs.snapshot_%s_state_%s AS SELECT * FROM %s',
                       kept.snapshot_id, state.number, state.state);
        PERFORM pgtrickle._hand_over('TABLE', format('pgtrickle_programs.snapshot_%s_state_%s', kept.snapshot_id, state.number),
                                     st.pgt_relid);
    END LOOP;
    EXECUTE format('COMMENT ON TABLE %s IS %L', made, jsonb_build_object(
        'trickle_snapshot', kept.snapshot_version, 'token', kept.token, 'stream_table', label, 'taken_at', kept.created_at,
        'data_timestamp', kept.data_timestamp, 'row_count', kept.row_count,
        'frontier', jsonb_build_object('snapshot', kept.snapshot::text, 'own_xid', kept.own_xid::text, 'own_seq', kept.own_seq)));
    EXECUTE format('CREATE TRIGGER pgt_snapshot_guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION pgtrickle._guard_snapshot()', made);
    PERFORM pgtrickle._hand_over('TABLE', made, st.pgt_relid);
    RETURN target;
END
$fn$;
