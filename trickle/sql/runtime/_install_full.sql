-- Write the program that refreshes a stream table in full: fill when empty, else apply the difference, so that only
-- rows that changed are written and downstream tables see a true delta. The program's own tables are filled anew. Rows are told apart by how they look, not only
-- by equality: 1.0 becomes 1.00 when the query says so. One statement reads, applies and advances
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
    of_n     text;  -- n.a, n.b
    picked   text;  -- each column of a group of identical rows
    images   text;  -- what tells rows apart: a, and a::text where equal values may look different
    same     text;  -- s and n are the same row
    hash_s   text;
    hash_n   text;
    diff     text;
    settings text;
    advance  text;
BEGIN
    SELECT s.* INTO STRICT st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _install_full.pgt_id;
    storage := st.pgt_relid::regclass::text;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
           string_agg(format('n.%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(CASE WHEN t.groups THEN quote_ident(a.attname)
                           ELSE format('%1$I::text::%2$s AS %1$I', a.attname, pgtrickle._type_name(a.atttypid, NULL)) END,
                      ', ' ORDER BY a.attnum),
           string_agg(CASE WHEN t.same THEN quote_ident(a.attname)
                           WHEN t.groups THEN format('%1$I, %1$I::text', a.attname)
                           ELSE format('%I::text', a.attname) END, ', ' ORDER BY a.attnum),
           string_agg(format(CASE WHEN t.same THEN 's.%1$I IS NOT DISTINCT FROM n.%1$I'
                                  ELSE 's.%1$I::text IS NOT DISTINCT FROM n.%1$I::text' END, a.attname),
                      ' AND ' ORDER BY a.attnum),
           string_agg(format('s.%I', a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE t.hashes),
           string_agg(format('n.%I', a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE t.hashes)
    INTO cols, of_n, picked, images, same, hash_s, hash_n
    FROM pg_attribute a
    CROSS JOIN LATERAL (
        SELECT pgtrickle._type_groups(a.atttypid) AS groups, pgtrickle._type_hashes(a.atttypid) AS hashes,
               pgtrickle._type_equal_is_same(a.atttypid, a.attcollation)
                   OR (a.atttypid = 'numeric'::regtype AND a.atttypmod >= 0) AS same OFFSET 0) t
    WHERE a.attrelid = view::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    SELECT coalesce(string_agg(format(' SET %I = %L', key, value), '' ORDER BY key), '') INTO settings
    FROM jsonb_each_text(st.session_settings);

    advance := format($sql$  frontier AS (
    UPDATE pgtrickle.pgt_frontiers
    SET snapshot = pg_current_snapshot(), own_xid = pg_current_xact_id(),
        own_seq = nextval('pgtrickle_changes.change_seq')
    WHERE pgt_id = %s)$sql$, st.pgt_id) || pgtrickle._full_states(st.pgt_id);
    diff := format($sql$
  WITH net AS MATERIALIZED (
    SELECT %1$s, sum(__pgt_w)::bigint AS __pgt_w
    FROM (SELECT %2$s, 1 AS __pgt_w FROM %3$s UNION ALL SELECT %2$s, -1 FROM %4$s) u
    GROUP BY %5$s HAVING sum(__pgt_w) <> 0),
  doomed AS MATERIALIZED (
    SELECT __pgt_tid FROM (
      SELECT s.ctid AS __pgt_tid, n.__pgt_w, row_number() OVER (PARTITION BY n.__pgt_no) AS __pgt_n
      FROM %4$s s
      JOIN (SELECT *, row_number() OVER () AS __pgt_no FROM net WHERE __pgt_w < 0) n ON %6$s = %7$s AND %8$s) f
    WHERE __pgt_n <= -__pgt_w),
  gone AS (DELETE FROM %4$s s USING doomed d WHERE s.ctid = d.__pgt_tid RETURNING 1),
  added AS (
    INSERT INTO %4$s (%2$s)
    SELECT %9$s FROM (SELECT count(*) FROM gone) g, net n, generate_series(1, n.__pgt_w) WHERE n.__pgt_w > 0
    RETURNING 1),
%10$s
  SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM gone),
         (SELECT coalesce(-sum(__pgt_w), 0) FROM net WHERE __pgt_w < 0)
  INTO __pgt_added_rows, __pgt_gone_rows, __pgt_expected_rows;
  IF __pgt_gone_rows <> __pgt_expected_rows THEN
    RAISE EXCEPTION '%% rows of %% were to be deleted but %% were', __pgt_expected_rows, %11$L, __pgt_gone_rows
      USING ERRCODE = 'XX000', HINT = 'This is a defect of Trickle: please report it with pgtrickle.export_definition().';
  END IF;$sql$,
        picked, cols, view, storage, images,
        CASE WHEN hash_s IS NULL THEN '0::bigint' ELSE format('hash_record_extended(ROW(%s), 0)', hash_s) END,
        CASE WHEN hash_n IS NULL THEN '0::bigint' ELSE format('hash_record_extended(ROW(%s), 0)', hash_n) END,
        same, of_n, advance, st.pgt_schema || '.' || st.pgt_name);

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
    EXECUTE format('REVOKE ALL ON FUNCTION %s() FROM PUBLIC', program);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s() TO %I', program, pgtrickle._catalog_owner());
END
$fn$;
