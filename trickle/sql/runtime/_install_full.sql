-- Write the program that refreshes a stream table in full: fill when empty, else apply the difference, so that only
-- rows that changed are written and downstream tables see a true delta. One statement reads, applies and advances
-- the frontier. INSERT reads from the DELETE, which orders the two where a unique index needs it.
CREATE FUNCTION pgtrickle._install_full(pgt_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st       pgtrickle.pgt_stream_tables;
    program  text := format('pgtrickle_programs.full_%s', _install_full.pgt_id);
    storage  text;
    view     text := pgtrickle._stored_view(_install_full.pgt_id)::text;
    cols     text;  -- a, b
    of_s     text;  -- s.a, s.b
    of_n     text;  -- n.a, n.b
    hash_s   text;
    hash_n   text;
    grouped  boolean;
    diff     text;
    settings text;
    advance  text;
BEGIN
    SELECT s.* INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _install_full.pgt_id;
    storage := st.pgt_relid::regclass::text;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
           string_agg('s.' || quote_ident(a.attname), ', ' ORDER BY a.attnum),
           string_agg('n.' || quote_ident(a.attname), ', ' ORDER BY a.attnum),
           string_agg('s.' || quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE hashes),
           string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE hashes),
           bool_and(pgtrickle._type_groups(a.atttypid))
    INTO cols, of_s, of_n, hash_s, hash_n, grouped
    FROM pg_attribute a, LATERAL (SELECT pgtrickle._type_hashes(a.atttypid) AS hashes OFFSET 0) h
    WHERE a.attrelid = view::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    SELECT coalesce(string_agg(format(' SET %I = %L', key, value), '' ORDER BY key), '') INTO settings
    FROM jsonb_each_text(st.session_settings);

    advance := format($sql$  frontier AS (
    UPDATE pgtrickle.pgt_frontiers
    SET snapshot = pg_current_snapshot(), own_xid = pg_current_xact_id(),
        own_seq = nextval('pgtrickle_changes.change_seq')
    WHERE pgt_id = %s)$sql$, st.pgt_id);
    IF grouped THEN
        diff := format($sql$
  WITH net AS MATERIALIZED (
    SELECT %1$s, sum(__pgt_w)::bigint AS __pgt_w, %2$s AS __pgt_hash
    FROM (SELECT %1$s, 1 AS __pgt_w FROM %3$s UNION ALL SELECT %1$s, -1 FROM %4$s) u
    GROUP BY %1$s HAVING sum(__pgt_w) <> 0),
  doomed AS MATERIALIZED (
    SELECT __pgt_tid FROM (
      SELECT s.ctid AS __pgt_tid, n.__pgt_w, row_number() OVER (PARTITION BY n.__pgt_no) AS __pgt_n
      FROM %4$s s
      JOIN (SELECT *, row_number() OVER () AS __pgt_no FROM net WHERE __pgt_w < 0) n
        ON %5$s = n.__pgt_hash AND record_eq(ROW(%6$s), ROW(%7$s))) f
    WHERE __pgt_n <= -__pgt_w),
  gone AS (DELETE FROM %4$s s USING doomed d WHERE s.ctid = d.__pgt_tid RETURNING 1),
  added AS (
    INSERT INTO %4$s (%1$s)
    SELECT %7$s FROM (SELECT count(*) FROM gone) g, net n, generate_series(1, n.__pgt_w) WHERE n.__pgt_w > 0
    RETURNING 1),
%8$s
  SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM gone),
         (SELECT coalesce(-sum(__pgt_w), 0) FROM net WHERE __pgt_w < 0)
  INTO __pgt_added_rows, __pgt_gone_rows, __pgt_expected_rows;
  IF __pgt_gone_rows <> __pgt_expected_rows THEN
    RAISE EXCEPTION '%% rows of %% were to be deleted but %% were', __pgt_expected_rows, %9$L, __pgt_gone_rows
      USING ERRCODE = 'XX000', HINT = 'This is a defect of Trickle: please report it with pgtrickle.export_definition().';
  END IF;$sql$,
            cols,
            CASE WHEN hash_n IS NULL THEN '0::bigint' ELSE format('hash_record_extended(ROW(%s), 0)', hash_n) END,
            view, storage,
            CASE WHEN hash_s IS NULL THEN '0::bigint' ELSE format('hash_record_extended(ROW(%s), 0)', hash_s) END,
            of_s, of_n, advance, st.pgt_schema || '.' || st.pgt_name);
    ELSE
        -- A column without equality: no row can be recognised, so all of them are replaced.
        diff := format($sql$
  WITH fresh AS MATERIALIZED (SELECT %1$s FROM %2$s),
  gone AS (DELETE FROM %3$s RETURNING 1),
  added AS (
    INSERT INTO %3$s (%1$s) SELECT %4$s FROM (SELECT count(*) FROM gone) g, fresh n RETURNING 1),
%5$s
  SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM gone) INTO __pgt_added_rows, __pgt_gone_rows;$sql$,
            cols, view, storage, of_n, advance);
    END IF;

    EXECUTE format($ddl$
CREATE OR REPLACE FUNCTION %1$s() RETURNS pgtrickle.refresh_outcome
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp%2$s AS %3$L
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
    EXECUTE format('REVOKE ALL ON FUNCTION %s() FROM PUBLIC', program);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s() TO %I', program, pgtrickle._catalog_owner());
END
$fn$;
