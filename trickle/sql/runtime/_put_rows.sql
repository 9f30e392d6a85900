-- Make a stream table hold the rows of a snapshot, in the named columns; returns how many rows were written.
CREATE FUNCTION pgtrickle._put_rows(st pgtrickle.pgt_stream_tables, source oid, cols text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    written  bigint;
    is_empty boolean;
    wanted   text := format('pgtrickle_programs.restored_%s', st.pgt_id);
BEGIN
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s)', st.pgt_relid::regclass) INTO is_empty;
    IF is_empty THEN
        EXECUTE format('INSERT INTO %s (%s) SELECT %2$s FROM %s', st.pgt_relid::regclass, cols, source::regclass);
        GET DIAGNOSTICS written = ROW_COUNT;
        RETURN written;
    END IF;
    EXECUTE format('CREATE VIEW %s AS SELECT %s FROM %s', wanted, cols, source::regclass);
    EXECUTE format($do$
DO $put$
DECLARE
  __pgt_added_rows bigint;
  __pgt_gone_rows bigint;
  __pgt_expected_rows bigint;
BEGIN%s
  PERFORM set_config('pg_trickle.rows_put', (__pgt_added_rows + __pgt_gone_rows)::text, true);
END
$put$ $do$, pgtrickle._difference(wanted::regclass, wanted::regclass, st.pgt_relid, format(
        '  frontier AS (UPDATE pgtrickle.pgt_frontiers SET markers = 0 WHERE pgt_id = %s)', st.pgt_id),
        st.pgt_schema || '.' || st.pgt_name));
    EXECUTE format('DROP VIEW %s', wanted);
    RETURN current_setting('pg_trickle.rows_put')::bigint;
END
$fn$;
