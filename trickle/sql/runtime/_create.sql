-- Create a stream table whose arguments have been checked: bind, validate, create its storage, capture its sources,
-- and fill it. Capture comes before the fill, which is a statement of its own: what is written between the two is in
-- the fill's snapshot or in the buffer, never in neither.
CREATE FUNCTION pgtrickle._create(
    schema_name text, table_name text, query text, creator_path text, schedule text, refresh_mode text,
    initialize boolean, options jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    label    text := schema_name || '.' || table_name;
    id       bigint;
    view_oid oid;
    checked  record;
    mode     text;
BEGIN
    PERFORM pgtrickle._assert_may_create();
    IF initialize THEN
        PERFORM pgtrickle._assert_refreshable_here();
    END IF;
    IF to_regnamespace(quote_ident(schema_name)) IS NULL THEN
        RAISE EXCEPTION 'schema "%" does not exist', schema_name
            USING ERRCODE = '3F000', HINT = 'Create the schema, or name the stream table schema.table.';
    ELSIF EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_schema = schema_name AND s.pgt_name = table_name) THEN
        RAISE EXCEPTION 'stream table already exists: %', label
            USING ERRCODE = '42P07', HINT = 'Use pgtrickle.create_or_replace_stream_table or alter_stream_table to change it.';
    ELSIF to_regclass(format('%I.%I', schema_name, table_name)) IS NOT NULL THEN
        RAISE EXCEPTION 'relation "%" already exists', label
            USING ERRCODE = '42P07', HINT = 'Choose another name; a stream table owns its storage.';
    ELSIF length(table_name) = 0 OR octet_length(table_name) > 63 OR octet_length(schema_name) > 63 THEN
        RAISE EXCEPTION 'invalid argument: "%" is not a name of 1 to 63 bytes', label USING ERRCODE = '42602';
    END IF;

    id := nextval('pgtrickle.pgt_stream_tables_pgt_id_seq');
    view_oid := pgtrickle._bind_query(format('query_%s', id), label, query, creator_path);
    SELECT * INTO checked FROM pgtrickle._check_query(view_oid, label);
    mode := pgtrickle._mode_for(refresh_mode, checked.volatility, checked.reason, label);
    PERFORM pgtrickle._assert_partitionable(options ->> 'partition_by', mode);

    INSERT INTO pgtrickle.pgt_stream_tables
        (pgt_id, pgt_relid, pgt_name, pgt_schema, pgt_owner, defining_query, original_query, schedule, refresh_mode,
         requested_mode, query_volatility, volatility_reason, functions_used, function_oids, session_settings,
         diamond_consistency, diamond_schedule_policy, requested_cdc_mode, is_append_only, pooler_compatibility_mode,
         max_differential_joins, max_delta_fraction, st_partition_key)
    VALUES (id, pgtrickle._create_storage(id, schema_name, table_name, nullif(options ->> 'partition_by', '')), table_name, schema_name, current_user,
            pgtrickle._canonical_query(view_oid), query, schedule, mode,
            refresh_mode, checked.volatility, checked.reason, checked.functions, checked.function_oids,
            pgtrickle._query_settings(checked.volatility),
            coalesce(options ->> 'diamond_consistency', 'atomic'), coalesce(options ->> 'diamond_schedule_policy', 'fastest'),
            options ->> 'cdc_mode', coalesce((options ->> 'append_only')::boolean, false),
            coalesce((options ->> 'pooler_compatibility_mode')::boolean, false),
            nullif((options ->> 'max_differential_joins')::int, 0), nullif((options ->> 'max_delta_fraction')::float8, 0),
            nullif(options ->> 'partition_by', ''));
    INSERT INTO pgtrickle.pgt_frontiers (pgt_id, own_xid, own_seq)
    VALUES (id, pg_current_xact_id(), nextval('pgtrickle_changes.change_seq'));
    PERFORM pgtrickle._register_sources(id);
    PERFORM pgtrickle._assert_append_only(s) FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = id AND s.is_append_only;
    PERFORM pgtrickle._restamp(id);
    PERFORM pgtrickle._install_full(id);
    IF initialize THEN
        PERFORM pgtrickle._refresh(id, 'INITIAL', true);
        IF mode = 'IMMEDIATE' THEN
            RAISE NOTICE 'stream table % has no program yet', label
                USING DETAIL = 'Until an instance has compiled it, each statement that writes its sources recomputes it in full.',
                      HINT = 'Start `trickle worker`, or create it with `trickle create` or from Python, which compile at once.';
        END IF;
    END IF;
    RETURN id;
END
$fn$;
