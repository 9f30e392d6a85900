-- Make a stream table as described, touching only what differs. Queries are compared as PostgreSQL prints them.
CREATE FUNCTION pgtrickle._replace(
    st pgtrickle.pgt_stream_tables, query text, creator_path text, schedule text, asked_mode text, options jsonb)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    label    text := st.pgt_schema || '.' || st.pgt_name;
    next_oid oid;
    same     boolean;
    mode     text;
BEGIN
    PERFORM pgtrickle._assert_may_create();
    PERFORM pgtrickle._assert_owner(st);
    next_oid := pgtrickle._bind_query(format('next_%s', st.pgt_id), label, query, creator_path);
    same := pgtrickle._canonical_query(next_oid) = st.defining_query;
    EXECUTE format('DROP VIEW pgtrickle_programs.next_%s', st.pgt_id);
    IF same AND coalesce(options ->> 'partition_by', st.st_partition_key, '') = coalesce(st.st_partition_key, '') THEN
        mode := pgtrickle._mode_for(asked_mode, st.query_volatility, st.volatility_reason, label);
        IF mode = st.refresh_mode AND asked_mode = st.requested_mode AND schedule IS NOT DISTINCT FROM st.schedule
           AND coalesce(options ->> 'diamond_consistency', st.diamond_consistency) = st.diamond_consistency
           AND coalesce(options ->> 'diamond_schedule_policy', st.diamond_schedule_policy) = st.diamond_schedule_policy
           AND coalesce(options ->> 'cdc_mode', st.requested_cdc_mode) IS NOT DISTINCT FROM st.requested_cdc_mode
           AND coalesce((options ->> 'append_only')::boolean, st.is_append_only) = st.is_append_only
           AND coalesce((options ->> 'pooler_compatibility_mode')::boolean, st.pooler_compatibility_mode) = st.pooler_compatibility_mode THEN
            RAISE INFO 'stream table % is as described: nothing done', label;
            RETURN;
        END IF;
        IF 'IMMEDIATE' IN (st.refresh_mode, mode) AND mode <> st.refresh_mode THEN
            PERFORM pgtrickle._lock_immediate(st.pgt_id, mode = 'IMMEDIATE');
        ELSIF st.refresh_mode = 'IMMEDIATE' THEN
            PERFORM pgtrickle._exclude_writers(st.pgt_id);
        END IF;
        PERFORM pgtrickle._alter(st, options || jsonb_build_object(
            'refresh_mode', mode, 'requested_mode', asked_mode, 'schedule', schedule));
    ELSE
        PERFORM pgtrickle._alter_stream_table(st, query, creator_path, coalesce(schedule, 'calculated'), asked_mode, options, '{}');
    END IF;
END
$fn$;
