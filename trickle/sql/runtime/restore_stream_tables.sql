-- Bring stream tables back to life after pg_restore, a copy of the database, or a move to another server: oids are
-- found again by the query views and names, capture is made anew, and every table is refreshed in full next time.
CREATE FUNCTION pgtrickle.restore_stream_tables() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st     record;
    source record;
    polled bigint[];
    code   text;
    said   text;
    before text := current_setting('client_min_messages');
BEGIN
    PERFORM FROM pgtrickle.identity FOR UPDATE;
    PERFORM set_config('client_min_messages', 'warning', true);
    UPDATE pgtrickle.pgt_frontiers SET snapshot = NULL, own_xid = pg_current_xact_id(),
                                       own_seq = nextval('pgtrickle_changes.change_seq');
    -- Programs that read copies of polled sources go with the copies.
    polled := ARRAY(SELECT DISTINCT d.pgt_id FROM pgtrickle.pgt_dependencies d WHERE d.cdc_mode = 'POLL');
    PERFORM pgtrickle._strip_program(p) FROM unnest(polled) p;
    UPDATE pgtrickle.pgt_dependencies SET source_id = NULL;
    DELETE FROM pgtrickle.pgt_instances;
    -- They name sources by the numbers of their capture, which is made anew, and tell of another server.
    DELETE FROM pgtrickle.pgt_differential_costs;
    DELETE FROM pgtrickle.pgt_full_costs;
    DELETE FROM pgtrickle_changes.markers;
    FOR source IN SELECT t.source_id FROM pgtrickle.pgt_change_tracking t ORDER BY t.source_id LOOP
        PERFORM pgtrickle._drop_capture(source.source_id);
    END LOOP;
    UPDATE pgtrickle.identity i
    SET system_identifier = (SELECT c.system_identifier FROM pg_control_system() c),
        database_oid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()),
        catalog_oid = 'pgtrickle.identity'::regclass::oid, epoch = gen_random_uuid();

    -- Storage first, for all: a stream table may read another. Old oids may be in use by other relations now, and
    -- they are unique, so they are cleared before the new ones are written.
    UPDATE pgtrickle.pgt_stream_tables s SET pgt_relid = (4294967295 - s.pgt_id)::oid;
    UPDATE pgtrickle.pgt_stream_tables s
    SET pgt_relid = c.oid, pgt_owner = pg_get_userbyid(c.relowner), needs_reinit = true,
        program_state = CASE WHEN s.program_state = 'none' THEN 'none' ELSE 'stale' END, updated_at = now()
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = s.pgt_schema AND c.relname = s.pgt_name AND c.relkind IN ('r', 'p');
    FOR st IN
        SELECT s.pgt_id, s.pgt_relid, s.pgt_schema, s.pgt_name, c.oid AS storage
        FROM pgtrickle.pgt_stream_tables s LEFT JOIN pg_class c ON c.oid = s.pgt_relid ORDER BY s.pgt_id
    LOOP
        BEGIN
            IF st.storage IS NULL OR to_regclass(format('pgtrickle_programs.query_%s', st.pgt_id)) IS NULL THEN
                RAISE EXCEPTION 'its storage or its query was not restored' USING ERRCODE = '42P01';
            END IF;
            IF st.pgt_id = ANY (polled) THEN
                PERFORM pgtrickle._strip_storage(st.pgt_relid);
            END IF;
            DELETE FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = st.pgt_id;
            PERFORM pgtrickle._guard_storage(st.pgt_id, st.pgt_relid::regclass);
            UPDATE pgtrickle.pgt_stream_tables s
            SET function_oids = q.function_oids, functions_used = q.functions, query_volatility = q.volatility,
                status = CASE s.status WHEN 'ERROR' THEN 'ACTIVE' ELSE s.status END
            FROM pgtrickle._check_query(format('pgtrickle_programs.query_%s', st.pgt_id)::regclass, st.pgt_name) q
            WHERE s.pgt_id = st.pgt_id;
            PERFORM pgtrickle._register_sources(st.pgt_id);
            PERFORM pgtrickle._restamp(st.pgt_id);
            PERFORM pgtrickle._install_full(st.pgt_id);
        EXCEPTION WHEN OTHERS THEN
            -- One table that cannot come back must not keep the others from it.
            GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
            UPDATE pgtrickle.pgt_stream_tables s
            SET status = 'ERROR', last_error_message = format('not restored: %s (%s)', said, code), last_error_at = now()
            WHERE s.pgt_id = st.pgt_id;
            RAISE WARNING 'stream table %.% was not restored: %', st.pgt_schema, st.pgt_name, said;
        END;
    END LOOP;
    PERFORM set_config('client_min_messages', before, true);
END
$fn$;
