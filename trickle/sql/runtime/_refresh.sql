-- Refresh one stream table, in one round trip: guards, the check that nothing it was compiled against has changed,
-- its program or a full refresh, bookkeeping. With nothing new it writes no more than the time of the check.
CREATE FUNCTION pgtrickle._refresh(
    pgt_id bigint, initiated_by text DEFAULT 'MANUAL', force_full boolean DEFAULT false)
RETURNS pgtrickle.refresh_outcome
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st       pgtrickle.pgt_stream_tables;
    f        pgtrickle.pgt_frontiers;
    outcome  pgtrickle.refresh_outcome;
    started  timestamptz := clock_timestamp();
    fresh_transaction boolean := pg_current_xact_id_if_assigned() IS NULL;
    why      text;
    memory   text;
    needed   text;
    attempt  int := 0;
    checked  text;
    choice   pgtrickle.refresh_choice;
    appended text;
    begun    timestamptz;
    begun_full timestamptz;
    pending  bigint;
    is_new_storage boolean := false;
BEGIN
    PERFORM pgtrickle._assert_refreshable_here();
    PERFORM pgtrickle._assert_identity();
    SELECT s.* INTO st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _refresh.pgt_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream table not found: number %', _refresh.pgt_id USING ERRCODE = '42P01';
    ELSIF st.status IN ('SUSPENDED', 'ERROR') AND initiated_by = 'SCHEDULER' THEN
        RETURN ('NO_DATA', 0, 0, 0, NULL)::pgtrickle.refresh_outcome;  -- stopped since it was found to be due
    ELSIF st.status IN ('SUSPENDED', 'ERROR') THEN
        RAISE EXCEPTION 'stream table %.% is %', st.pgt_schema, st.pgt_name, lower(st.status)
            USING ERRCODE = '22023', DETAIL = 'Last error: ' || coalesce(st.last_error_message, 'none'),
                  HINT = format('SELECT pgtrickle.resume_stream_table(%L) when its cause is removed.', st.pgt_schema || '.' || st.pgt_name);
    END IF;
    SELECT t.* INTO STRICT f FROM pgtrickle.pgt_frontiers t WHERE t.pgt_id = _refresh.pgt_id;
    IF pg_snapshot_xmax(f.snapshot) > pg_snapshot_xmax(pg_current_snapshot())
       OR f.own_xid >= pg_snapshot_xmax(pg_current_snapshot())
          AND f.own_xid IS DISTINCT FROM pg_current_xact_id_if_assigned() THEN
        RAISE EXCEPTION 'the frontier of %.% lies in the future of this server', st.pgt_schema, st.pgt_name
            USING ERRCODE = '55000', HINT = 'Run SELECT pgtrickle.restore_stream_tables() once; each is then refreshed in full.';
    END IF;

    IF initiated_by = 'SCHEDULER' THEN
        IF st.fuse_mode <> 'off' THEN
            pending := pgtrickle._fused_changes(st);
        END IF;
        why := pgtrickle._hold(st, pending);
        IF why IS NOT NULL THEN
            RETURN ('SKIPPED', 0, 0, 0, why)::pgtrickle.refresh_outcome;
        END IF;
    END IF;
    IF st.has_outbox THEN
        -- Its storage may be another one since: then all rows are told again.
        UPDATE pgtrickle.pgt_outbox_config o SET source_id = c.id
        FROM (SELECT pgtrickle._capture_for_outbox(st.pgt_relid) AS id OFFSET 0) c
        WHERE o.pgt_id = st.pgt_id AND o.source_id IS DISTINCT FROM c.id;
        is_new_storage := FOUND;
    END IF;
    IF st.st_partition_key IS NOT NULL THEN
        PERFORM pgtrickle._guard_storage(st.pgt_id, st.pgt_relid::regclass);
    END IF;
    PERFORM set_config('pg_trickle.refreshing', _refresh.pgt_id::text, true);
    LOOP
        attempt := attempt + 1;
        checked := pg_current_snapshot()::text;
        choice := NULL;
        IF st.status = 'PAUSED' AND initiated_by = 'SCHEDULER' THEN
            outcome := ('NO_DATA', 0, 0, 0, NULL)::pgtrickle.refresh_outcome;  -- paused since it was found to be due
            EXIT;
        END IF;
        IF pgtrickle._stale_stamp(_refresh.pgt_id) THEN
            IF st.refresh_mode = 'IMMEDIATE' THEN
                -- In the order of its writers: first the source, then the stream table.
                PERFORM pgtrickle._lock_source(d.source_relid)
                FROM (SELECT s.source_relid FROM pgtrickle.pgt_dependencies s
                      WHERE s.pgt_id = _refresh.pgt_id AND s.cdc_mode = 'TRIGGER'
                        AND pgtrickle._capture_fault(s.source_relid, s.source_id) IS NOT NULL ORDER BY 1) d;
                PERFORM pgtrickle._exclude_writers(_refresh.pgt_id);
            END IF;
            why := concat_ws('; ', why, pgtrickle._revalidate(_refresh.pgt_id));
            why := nullif(why, '');
            needed := why;
            SELECT s.* INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _refresh.pgt_id;
        END IF;

        begun := clock_timestamp();
        begun_full := begun;
        BEGIN
            IF st.has_keyless_source THEN
                PERFORM pgtrickle._poll(_refresh.pgt_id);  -- a copy has no key
            END IF;
            IF force_full OR why IS NOT NULL OR f.snapshot IS NULL OR st.needs_reinit THEN
                why := coalesce(why, CASE WHEN st.needs_reinit THEN 'reinitialized' WHEN f.snapshot IS NULL THEN 'first fill'
                                          ELSE 'full refresh asked for' END);
                IF st.refresh_mode = 'IMMEDIATE' THEN
                    IF current_setting('transaction_isolation') <> 'read committed' THEN
                        PERFORM pgtrickle._refuse_isolation(_refresh.pgt_id);
                    END IF;
                    PERFORM pgtrickle._exclude_writers(_refresh.pgt_id);
                END IF;
                outcome := pgtrickle._run_full(_refresh.pgt_id);
            ELSIF st.refresh_mode = 'DIFFERENTIAL' AND st.program_state = 'compiled' THEN
                IF st.requested_mode = 'AUTO' THEN
                    choice := pgtrickle._auto_choice(st);
                    begun := clock_timestamp();
                END IF;
                -- An expression may fail over a row that came and went, and that the query never sees: then only a full
                -- refresh can tell whether the query fails as well.
                BEGIN
                    IF choice.action = 'NO_DATA' THEN
                        outcome := ('NO_DATA', 0, 0, 0, NULL)::pgtrickle.refresh_outcome;
                    ELSIF choice.action = 'FULL' THEN
                        outcome := ('FULL_NEEDED', 0, 0, 0, choice.reason)::pgtrickle.refresh_outcome;
                    ELSE
                        memory := CASE WHEN coalesce(choice.changes, pending) >= 10000 THEN pgtrickle._grant_memory() END;
                        PERFORM set_config('pg_trickle.counted', coalesce(choice.changes::text, ''), true);
                        EXECUTE format('SELECT * FROM pgtrickle_programs.refresh_%s()', _refresh.pgt_id) INTO outcome;
                        PERFORM set_config('work_mem', memory, true) WHERE memory IS NOT NULL;
                    END IF;
                EXCEPTION WHEN data_exception OR cardinality_violation THEN
                    outcome := ('FULL_NEEDED', 0, 0, 0, 'the change could not be computed: ' || SQLERRM)::pgtrickle.refresh_outcome;
                WHEN undefined_column OR undefined_function OR undefined_object OR datatype_mismatch THEN
                    -- A type or an operator that no stamp tells of has changed. The query follows it by itself, as a view.
                    UPDATE pgtrickle.pgt_stream_tables s SET program_state = 'stale' WHERE s.pgt_id = _refresh.pgt_id;
                    outcome := ('FULL_NEEDED', 0, 0, 0, 'its program is of the past: ' || SQLERRM)::pgtrickle.refresh_outcome;
                END;
                IF outcome.action = 'FULL_NEEDED' THEN
                    why := coalesce(outcome.reason, 'a source was truncated');
                    begun_full := clock_timestamp();
                    outcome := pgtrickle._run_full(_refresh.pgt_id);
                END IF;
            ELSIF pgtrickle._has_changes(_refresh.pgt_id) THEN
                why := CASE WHEN st.refresh_mode = 'FULL' THEN NULL
                            WHEN st.program_state = 'none' THEN 'not compiled yet'
                            ELSE coalesce(st.program_reason, 'its program is ' || st.program_state) END;
                outcome := pgtrickle._run_full(_refresh.pgt_id);
            ELSE
                outcome := ('NO_DATA', 0, 0, 0, NULL)::pgtrickle.refresh_outcome;
            END IF;
            IF outcome.action IN ('APPEND_ONLY', 'NOT_APPEND_ONLY') THEN
                appended := outcome.action;
                outcome.action := 'DIFFERENTIAL';
            END IF;
            IF outcome.action <> 'NO_DATA' AND pgtrickle._is_altered(st) THEN
                RAISE EXCEPTION 'stream table %.% was altered while it was being refreshed', st.pgt_schema, st.pgt_name
                    USING ERRCODE = '40001', HINT = 'Try again.';
            END IF;
        EXCEPTION WHEN program_limit_exceeded THEN
            IF attempt >= 3 OR NOT pgtrickle._hash_long_keys(_refresh.pgt_id) THEN
                RAISE;
            END IF;
            CONTINUE;
        WHEN OTHERS THEN
            -- Whoever alters it holds its frontier, for which the program waits, to go on with what is then another
            -- stream table's: whatever came of that is undone.
            IF attempt >= 3 OR NOT pgtrickle._is_altered(st) THEN
                RAISE;
            END IF;
            SELECT s.* INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _refresh.pgt_id;
            SELECT t.* INTO STRICT f FROM pgtrickle.pgt_frontiers t WHERE t.pgt_id = _refresh.pgt_id;
            CONTINUE;
        END;

        -- Reading holds a lock that excludes most DDL from here to commit, but not ATTACH PARTITION, and not what
        -- was committed between the check above and that lock. If nothing at all was committed, neither was that.
        EXIT WHEN outcome.action = 'NO_DATA' OR attempt >= 3 OR checked = pg_current_snapshot()::text
               OR NOT pgtrickle._stale_stamp(_refresh.pgt_id);
    END LOOP;
    PERFORM set_config('pg_trickle.refreshing', '', true);
    IF needed IS NOT NULL THEN
        PERFORM pgtrickle._alert('reinitialize_needed', st, jsonb_build_object('reason', needed));
    END IF;

    IF st.has_outbox AND (is_new_storage OR outcome.action <> 'NO_DATA' AND st.is_populated) THEN
        PERFORM pgtrickle._write_outbox(st, is_new_storage);
    END IF;
    outcome.reason := coalesce(why, outcome.reason);
    IF outcome.action <> 'NO_DATA' AND (outcome.action = 'FULL' OR choice.action IS NOT NULL) THEN
        PERFORM pgtrickle._auto_learn(_refresh.pgt_id, choice, outcome.action, begun, begun_full, clock_timestamp());
    END IF;
    choice.changes := coalesce(choice.changes, pending);
    PERFORM pgtrickle._record_refresh(st, outcome, started, _refresh.initiated_by, fresh_transaction, choice);
    IF outcome.action = 'DIFFERENTIAL' AND appended IS NOT NULL THEN
        PERFORM pgtrickle._note_append(st, appended = 'APPEND_ONLY');
    END IF;
    RETURN outcome;
END
$fn$;
