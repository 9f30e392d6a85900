-- Change options of a stream table; keys that are absent stay as they are.
CREATE FUNCTION pgtrickle._alter(st pgtrickle.pgt_stream_tables, changes jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    now_st pgtrickle.pgt_stream_tables;
BEGIN
    UPDATE pgtrickle.pgt_stream_tables s
    SET schedule = CASE WHEN coalesce(changes ->> 'refresh_mode', s.refresh_mode) = 'IMMEDIATE' THEN NULL
                        WHEN changes ? 'schedule' THEN changes ->> 'schedule' ELSE s.schedule END,
        refresh_mode = coalesce(changes ->> 'refresh_mode', s.refresh_mode),
        requested_mode = coalesce(changes ->> 'requested_mode', s.requested_mode),
        -- Left without a program because FULL was asked for, not because the query has none.
        program_state = CASE WHEN s.refresh_mode = 'FULL' AND changes ->> 'refresh_mode' = 'DIFFERENTIAL'
                                  AND s.program_state = 'full_only' THEN 'none' ELSE s.program_state END,
        -- The program goes on, and the next one knows how to append.
        program_version = CASE WHEN (changes ->> 'append_only')::boolean AND NOT (s.program_explain ->> 'appends')::boolean
                               THEN NULL ELSE s.program_version END,
        status = CASE WHEN changes ? 'status' THEN changes ->> 'status'
                      WHEN s.status = 'ERROR' THEN CASE WHEN s.is_populated THEN 'ACTIVE' ELSE 'INITIALIZING' END
                      ELSE s.status END,
        consecutive_errors = CASE WHEN changes ->> 'status' = 'ACTIVE' OR NOT changes ? 'status' AND s.status = 'ERROR'
                                  THEN 0 ELSE s.consecutive_errors END,
        -- What was written while it was not kept is in no change that an IMMEDIATE stream table will be shown.
        needs_reinit = s.needs_reinit OR s.refresh_mode = 'IMMEDIATE' AND (changes ? 'status' OR s.status = 'ERROR'),
        last_error_message = CASE WHEN changes ->> 'status' = 'ACTIVE' OR NOT changes ? 'status' AND s.status = 'ERROR'
                                  THEN NULL ELSE s.last_error_message END,
        diamond_consistency = coalesce(changes ->> 'diamond_consistency', s.diamond_consistency),
        diamond_schedule_policy = coalesce(changes ->> 'diamond_schedule_policy', s.diamond_schedule_policy),
        requested_cdc_mode = coalesce(changes ->> 'cdc_mode', s.requested_cdc_mode),
        is_append_only = coalesce((changes ->> 'append_only')::boolean, s.is_append_only),
        pooler_compatibility_mode = coalesce((changes ->> 'pooler_compatibility_mode')::boolean, s.pooler_compatibility_mode),
        max_differential_joins = CASE WHEN changes ? 'max_differential_joins'
                                      THEN nullif((changes ->> 'max_differential_joins')::int, 0) ELSE s.max_differential_joins END,
        max_delta_fraction = CASE WHEN changes ? 'max_delta_fraction'
                                  THEN nullif((changes ->> 'max_delta_fraction')::float8, 0) ELSE s.max_delta_fraction END,
        refresh_tier = coalesce(changes ->> 'tier', s.refresh_tier),
        fuse_mode = coalesce(changes ->> 'fuse', s.fuse_mode),
        fuse_ceiling = coalesce((changes ->> 'fuse_ceiling')::bigint, s.fuse_ceiling),
        fuse_sensitivity = coalesce((changes ->> 'fuse_sensitivity')::int, s.fuse_sensitivity),
        updated_at = now()
    WHERE s.pgt_id = st.pgt_id
    RETURNING * INTO now_st;
    IF now_st.diamond_schedule_policy = 'slowest' AND now_st.diamond_consistency = 'none' THEN
        RAISE EXCEPTION 'invalid argument: diamond_schedule_policy "slowest" needs diamond_consistency "atomic"'
            USING ERRCODE = '22023';
    ELSIF st.refresh_tier = 'hot' AND now_st.refresh_tier IN ('cold', 'frozen') THEN
        RAISE NOTICE 'stream table %.% goes from hot to %', st.pgt_schema, st.pgt_name, now_st.refresh_tier;
    END IF;
    IF now_st.is_append_only AND (now_st.refresh_mode = 'IMMEDIATE' OR NOT st.is_append_only) THEN
        PERFORM pgtrickle._assert_append_only(now_st);
    END IF;
    IF st.refresh_mode <> now_st.refresh_mode AND 'IMMEDIATE' IN (st.refresh_mode, now_st.refresh_mode) THEN
        PERFORM pgtrickle._switch_immediate(now_st);
    END IF;
END
$fn$;
