-- A fingerprint of all that a frontier and hidden columns rest on: the query, the program, the shape of the storage and of
-- the program's tables, and the sources with their capture as they were last looked at. What is polled looks different after
-- each REFRESH MATERIALIZED VIEW; there the columns count.
CREATE FUNCTION pgtrickle._snapshot_basis(st pgtrickle.pgt_stream_tables) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT md5(concat_ws('|', st.pgt_id, st.defining_query, st.program_state, st.function_hashes, st.session_settings,
        (SELECT md5(p.prosrc) FROM pg_proc p WHERE p.oid = to_regprocedure(format('pgtrickle_programs.refresh_%s()', st.pgt_id))),
        (SELECT string_agg(c.name || ' ' || c.type, ',' ORDER BY c.place) FROM pgtrickle._stored_columns(st.pgt_relid) c),
        (SELECT string_agg(k.number || pgtrickle._view_text(k.view), ',' ORDER BY k.number) FROM pgtrickle._state_tables(st.pgt_id) k),
        (SELECT string_agg(concat_ws(' ', d.source_relid, d.source_id, d.cdc_mode,
                                     CASE d.cdc_mode WHEN 'POLL' THEN d.column_snapshot::text ELSE d.stamp END), ',' ORDER BY d.source_relid)
         FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = st.pgt_id)))
$fn$;
