CREATE FUNCTION pgtrickle._verify(st pgtrickle.pgt_stream_tables)
RETURNS TABLE (stream_table text, equal boolean, missing_rows bigint, extra_rows bigint, pending boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    cols     text;
    fresh    text;
    attempt  int;
    news     text;
    -- In REPEATABLE READ the opener has locked the sources and refreshed: one look at that snapshot is exact.
    one_look boolean := current_setting('transaction_isolation') <> 'read committed';
    setting  record;
    -- Floats are added in a fixed order where they are maintained; another order may differ in the last digit.
    asked    text := CASE WHEN st.program_explain ->> 'determinised' = 'true' THEN pgtrickle._stored_view(st.pgt_id)::text
                          ELSE format('pgtrickle_programs.query_%s', st.pgt_id) END;
BEGIN
    FOR setting IN SELECT key, value FROM jsonb_each_text(st.session_settings) LOOP
        PERFORM set_config(setting.key, setting.value, true);
    END LOOP;
    -- A column without equality is compared by its text.
    SELECT string_agg(CASE WHEN pgtrickle._type_groups(a.atttypid) THEN format('%I', a.attname)
                           ELSE format('%1$I::text AS %1$I', a.attname) END, ', ' ORDER BY a.attnum)
    INTO cols
    FROM pg_attribute a
    WHERE a.attrelid = to_regclass(format('pgtrickle_programs.query_%s', st.pgt_id))
      AND a.attnum > 0 AND NOT a.attisdropped;
    SELECT coalesce(string_agg(format(
        'EXISTS (SELECT FROM pgtrickle_changes.changes_%1$s x, f WHERE pgtrickle.is_new(x.xid, x.seq, f.snapshot, f.own_xid, f.own_seq)) '
        'OR EXISTS (SELECT FROM pgtrickle_changes.markers x, f WHERE x.source_id = %1$s '
        'AND pgtrickle.is_new(x.xid, x.seq, f.snapshot, f.own_xid, f.own_seq))', d.source_id), ' OR '), 'false')
    INTO news
    FROM pgtrickle.pgt_dependencies d
    WHERE d.pgt_id = st.pgt_id AND d.source_id IS NOT NULL AND st.refresh_mode <> 'IMMEDIATE';
    fresh := format($sql$
        WITH f AS (SELECT * FROM pgtrickle.pgt_frontiers WHERE pgt_id = %1$s),
        missing AS (SELECT %2$s FROM %5$s EXCEPT ALL SELECT %2$s FROM %3$s),
        extra AS (SELECT %2$s FROM %3$s EXCEPT ALL SELECT %2$s FROM %5$s)
        SELECT (SELECT count(*) FROM missing), (SELECT count(*) FROM extra),
               (SELECT f.snapshot IS NULL FROM f) OR %4$s$sql$,
        st.pgt_id, cols, st.pgt_relid::regclass, news, asked);

    stream_table := st.pgt_schema || '.' || st.pgt_name;
    FOR attempt IN 1..5 LOOP
        IF NOT one_look AND st.status IN ('ACTIVE', 'INITIALIZING') THEN
            PERFORM pgtrickle._refresh(st.pgt_id, 'MANUAL', false);
        END IF;
        EXECUTE fresh INTO missing_rows, extra_rows, pending;
        equal := missing_rows = 0 AND extra_rows = 0;
        EXIT WHEN equal OR NOT pending OR one_look;
    END LOOP;
    RETURN NEXT;
END
$fn$;
