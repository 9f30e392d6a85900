-- Apply a checked alter call: the query first, since the rest is said of what it then is.
CREATE FUNCTION pgtrickle._alter_stream_table(
    st pgtrickle.pgt_stream_tables, query text, creator_path text, schedule text, refresh_mode text,
    options jsonb, more jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    changes jsonb := options || more;
    reparted boolean;
    mode    text := CASE WHEN refresh_mode IS NOT NULL OR upper(schedule) = 'IMMEDIATE'
                         THEN pgtrickle._requested_mode(schedule, refresh_mode) END;
BEGIN
    PERFORM pgtrickle._assert_may_create();
    PERFORM pgtrickle._assert_owner(st);
    IF 'IMMEDIATE' IN (st.refresh_mode, mode) AND mode <> st.refresh_mode THEN
        PERFORM pgtrickle._lock_immediate(st.pgt_id, mode = 'IMMEDIATE');
    ELSIF st.refresh_mode = 'IMMEDIATE' THEN
        PERFORM pgtrickle._exclude_writers(st.pgt_id);
    END IF;
    changes := changes || jsonb_strip_nulls(jsonb_build_object('requested_mode', mode));
    SELECT s.* INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = st.pgt_id FOR NO KEY UPDATE;
    IF mode IS NOT NULL AND query IS NULL THEN
        mode := pgtrickle._mode_for(mode, st.query_volatility, st.volatility_reason, st.pgt_schema || '.' || st.pgt_name);
        changes := changes || jsonb_build_object('refresh_mode', mode);
    END IF;
    PERFORM pgtrickle._assert_partitionable(
        coalesce(changes ->> 'partition_by', st.st_partition_key), coalesce(mode, st.refresh_mode));
    reparted := coalesce(changes ->> 'partition_by', st.st_partition_key, '') <> coalesce(st.st_partition_key, '');
    IF reparted THEN
        UPDATE pgtrickle.pgt_stream_tables s SET st_partition_key = nullif(changes ->> 'partition_by', '')
        WHERE s.pgt_id = st.pgt_id;
    END IF;
    IF pgtrickle._schedule_word(schedule, refresh_mode) IS NOT NULL THEN
        changes := changes || jsonb_build_object(
            'schedule', pgtrickle._check_schedule(pgtrickle._schedule_word(schedule, refresh_mode)));
    ELSIF st.refresh_mode = 'IMMEDIATE' AND mode <> 'IMMEDIATE' THEN
        changes := changes || jsonb_build_object('schedule', '1m');
    END IF;
    IF query IS NOT NULL OR reparted THEN
        PERFORM pgtrickle._change_query(st, coalesce(query, st.defining_query), creator_path,
            coalesce(changes ->> 'requested_mode', st.requested_mode), reparted);
        UPDATE pgtrickle.pgt_stream_tables s SET original_query = st.original_query WHERE s.pgt_id = st.pgt_id AND query IS NULL;
        SELECT s.* INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = st.pgt_id;
    END IF;
    PERFORM pgtrickle._alter(st, changes);
END
$fn$;
