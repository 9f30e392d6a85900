-- Write the program that refreshes a stream table in full, from its stored view or from another relation with its
-- columns: fill when empty, else apply the difference, so that only rows that changed are written and downstream tables
-- see a true delta. The program's own tables are filled anew. One statement reads, applies and advances the frontier.
CREATE FUNCTION pgtrickle._install_full(pgt_id bigint, source regclass DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st       pgtrickle.pgt_stream_tables;
    program  text := format('pgtrickle_programs.full_%s', _install_full.pgt_id);
    storage  text;
    view     text := coalesce(source, pgtrickle._stored_view(_install_full.pgt_id))::text;
    cols     text;  -- a, b
    diff     text;
    settings text;
    advance  text;
BEGIN
    SELECT s.* INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _install_full.pgt_id;
    storage := st.pgt_relid::regclass::text;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO cols
    FROM pg_attribute a
    WHERE a.attrelid = view::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    SELECT coalesce(string_agg(format(' SET %I = %L', key, value), '' ORDER BY key), '') INTO settings
    FROM jsonb_each_text(st.session_settings);

    advance := format($sql$  frontier AS (
    UPDATE pgtrickle.pgt_frontiers
    SET snapshot = pg_current_snapshot(), own_xid = pg_current_xact_id(),
        own_seq = nextval('pgtrickle_changes.change_seq')
    WHERE pgt_id = %s)$sql$, st.pgt_id) || pgtrickle._full_states(st.pgt_id);
    diff := pgtrickle._difference(view::regclass, view::regclass, st.pgt_relid, advance, st.pgt_schema || '.' || st.pgt_name);

    EXECUTE format($ddl$
CREATE OR REPLACE FUNCTION %1$s() RETURNS pgtrickle.refresh_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1%2$s AS %3$L
$ddl$, program, settings, format($body$
DECLARE
  __pgt_added_rows bigint := 0;
  __pgt_gone_rows bigint := 0;
  __pgt_expected_rows bigint;
BEGIN
  PERFORM FROM pgtrickle.pgt_frontiers WHERE pgt_id = %1$s FOR NO KEY UPDATE;
  IF NOT EXISTS (SELECT FROM %2$s) THEN
  WITH
%5$s
  INSERT INTO %2$s (%3$s) SELECT %3$s FROM %4$s;
  GET DIAGNOSTICS __pgt_added_rows = ROW_COUNT;
  ELSE%6$s
  END IF;
  UPDATE pgtrickle.pgt_frontiers
  SET rows_inserted = __pgt_added_rows, rows_updated = 0, rows_deleted = __pgt_gone_rows, markers = 0
  WHERE pgt_id = %1$s;
  RETURN ('FULL', __pgt_added_rows, 0, __pgt_gone_rows, NULL)::pgtrickle.refresh_outcome;
END
$body$, st.pgt_id, storage, cols, view, advance, diff));
    PERFORM pgtrickle._hand_over('FUNCTION', program || '()', st.pgt_relid);
    EXECUTE format('REVOKE ALL ON FUNCTION %s() FROM PUBLIC', program);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s() TO %I', program, pgtrickle._catalog_owner());
END
$fn$;
