-- Put other storage, with the columns of the new query and partitions as wanted, in the place of a stream table's. It is filled and indexed aside,
-- while everybody reads the old one; then names, rights and views change over, which takes as long as a few commands.
-- What cannot follow was refused before, by _assert_replaceable, or is said in a warning.
CREATE FUNCTION pgtrickle._replace_storage(st pgtrickle.pgt_stream_tables, what text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
#variable_conflict use_column
DECLARE
    label    text := st.pgt_schema || '.' || st.pgt_name;
    old_name text := st.pgt_relid::regclass::text;
    started  timestamptz := clock_timestamp();
    removed  bigint := 0;
    added    bigint;
    relid    oid;
    renaming text[];
    views    text[];
    triggers text[];
    command  text;
    lost     text;
    detail   text;
BEGIN
    PERFORM pgtrickle._assert_refreshable_here();
    IF st.has_outbox THEN
        PERFORM pgtrickle._detach_outbox(st.pgt_id);
    END IF;
    added := pgtrickle._fill_aside(st, st.st_partition_key);
    relid := format('pgtrickle_programs.__pgt_aside_%s', st.pgt_id)::regclass;
    renaming := pgtrickle._copy_indexes(st.pgt_relid, relid);
    renaming := renaming || pgtrickle._partition_names(
        st.pgt_relid, relid, st.pgt_schema, format('__pgt_aside_%s', st.pgt_id), st.pgt_name);
    EXECUTE format('ANALYZE %s', relid::regclass);
    PERFORM pgtrickle._copy_rights(st.pgt_relid, relid);
    PERFORM pgtrickle._guard_storage(st.pgt_id, relid::regclass);
    EXECUTE format('SELECT count(*) FROM %s', old_name) INTO removed;
    SELECT string_agg(l.what, ', ') INTO lost FROM (
        SELECT 'publication ' || quote_ident(p.pubname) AS what
        FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = st.pgt_relid
        UNION ALL
        SELECT 'statistics ' || quote_ident(e.stxname) FROM pg_statistic_ext e WHERE e.stxrelid = st.pgt_relid
        UNION ALL
        SELECT 'its storage parameters' FROM pg_class c WHERE c.oid = st.pgt_relid AND c.reloptions IS NOT NULL
        UNION ALL
        SELECT 'its replica identity' FROM pg_class c WHERE c.oid = st.pgt_relid AND c.relreplident <> 'd'
    ) l;

    PERFORM pgtrickle._lock_storage(st.pgt_relid);
    SELECT coalesce(array_agg(v.command ORDER BY v.view), '{}') INTO views FROM pgtrickle._dependent_views(st.pgt_relid) v;
    SELECT coalesce(array_agg(c.command ORDER BY g.tgname, c.place), '{}') INTO triggers
    FROM pg_trigger g
    CROSS JOIN LATERAL (VALUES
        (1, pg_get_triggerdef(g.oid)),
        (2, format('ALTER TABLE %s %s TRIGGER %I', old_name,
                   CASE g.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'D' THEN 'DISABLE'
                        ELSE 'ENABLE' END, g.tgname))) c(place, command)
    WHERE g.tgrelid = st.pgt_relid AND NOT g.tgisinternal AND g.tgname NOT LIKE 'pgt\_%' AND g.tgname NOT LIKE ' pgt\_%';
    EXECUTE format('ALTER TABLE %s RENAME TO __pgt_old_%s', old_name, st.pgt_id);
    EXECUTE format('ALTER TABLE %s SET SCHEMA %I', relid::regclass, st.pgt_schema);
    EXECUTE format('ALTER TABLE %s RENAME TO %I', relid::regclass, st.pgt_name);
    BEGIN
        FOREACH command IN ARRAY views || triggers LOOP
            EXECUTE command;
        END LOOP;
        EXECUTE format('DROP TABLE %s', st.pgt_relid::regclass);
    EXCEPTION WHEN undefined_column OR invalid_table_definition OR dependent_objects_still_exist OR undefined_function THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        RAISE EXCEPTION 'cannot change the columns of stream table %: %', label, SQLERRM
            USING ERRCODE = '2BP01', DETAIL = coalesce(nullif(detail, ''), command),
                  HINT = 'Drop first what uses a column that goes or changes its type; nothing was changed.';
    END;
    FOREACH command IN ARRAY renaming LOOP
        EXECUTE command;
    END LOOP;
    UPDATE pgtrickle.pgt_stream_tables s SET pgt_relid = relid WHERE s.pgt_id = st.pgt_id RETURNING s.* INTO st;
    PERFORM pgtrickle._install_full(st.pgt_id);
    IF st.is_populated THEN
        PERFORM pgtrickle._record_refresh(
            st, ('FULL', added, 0, removed, format('its %s were changed', what))::pgtrickle.refresh_outcome, started, 'INITIAL', false, NULL);
    END IF;
    RAISE WARNING 'stream table % has other storage now, for its % were changed', label, what
        USING DETAIL = coalesce('Not kept: ' || lost || '.', 'Owner, grants, comments, indexes, triggers and views that '
                                                             'read it were kept.'),
              HINT = 'A transaction that took its snapshot before and reads the stream table only now finds it empty.';
END
$fn$;
