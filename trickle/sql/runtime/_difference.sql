-- The statement that makes one relation hold the rows of another, by writing the difference, and the check that as many
-- rows went as it says. It is written for PL/pgSQL with the variables __pgt_added_rows, __pgt_gone_rows and
-- __pgt_expected_rows; `advance` is one more CTE. Rows are told apart by how they look, not only by equality: 1.0 becomes
-- 1.00 when the source says so. INSERT reads from the DELETE, which orders the two where a unique index needs it.
CREATE FUNCTION pgtrickle._difference(columns_of regclass, source regclass, target regclass, advance text, label text)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    cols     text;  -- a, b
    of_n     text;  -- n.a, n.b
    picked   text;  -- each column of a group of identical rows
    images   text;  -- what tells rows apart: a, and a::text where equal values may look different
    same     text;  -- s and n are the same row
    hash_s   text;
    hash_n   text;
BEGIN
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
    WHERE a.attrelid = columns_of AND a.attnum > 0 AND NOT a.attisdropped;
    RETURN format($sql$
  WITH net AS MATERIALIZED (
    SELECT %1$s, sum(__pgt_w)::bigint AS __pgt_w
    FROM (SELECT %2$s, 1 AS __pgt_w FROM %3$s UNION ALL SELECT %2$s, -1 FROM %4$s) u
    GROUP BY %5$s HAVING sum(__pgt_w) <> 0),
  doomed AS MATERIALIZED (
    SELECT __pgt_tid, __pgt_part FROM (
      SELECT s.ctid AS __pgt_tid, s.tableoid AS __pgt_part, n.__pgt_w, row_number() OVER (PARTITION BY n.__pgt_no) AS __pgt_n
      FROM %4$s s
      JOIN (SELECT *, row_number() OVER () AS __pgt_no FROM net WHERE __pgt_w < 0) n ON %6$s = %7$s AND %8$s) f
    WHERE __pgt_n <= -__pgt_w),
  gone AS (DELETE FROM %4$s s USING doomed d WHERE s.ctid = d.__pgt_tid AND s.tableoid = d.__pgt_part RETURNING 1),
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
        picked, cols, source, target, images,
        CASE WHEN hash_s IS NULL THEN '0::bigint' ELSE format('hash_record_extended(ROW(%s), 0)', hash_s) END,
        CASE WHEN hash_n IS NULL THEN '0::bigint' ELSE format('hash_record_extended(ROW(%s), 0)', hash_n) END,
        same, of_n, advance, label);
END
$fn$;
