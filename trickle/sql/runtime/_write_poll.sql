-- Write the function that makes the copy of a polled source follow the source, with the rights of the stream table's owner.
-- Whoever polls first keeps others waiting until what it has found is committed; one with an older snapshot than that has
-- to try again, for it would find the same once more.
CREATE FUNCTION pgtrickle._write_poll(pgt_id bigint, source_id int) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    name   text := format('pgtrickle_programs.poll_%s_%s', _write_poll.pgt_id, _write_poll.source_id);
    copied regclass := format('pgtrickle_changes.polled_%s', _write_poll.source_id)::regclass;
    source oid := (SELECT t.polled_relid FROM pgtrickle.pgt_change_tracking t WHERE t.source_id = _write_poll.source_id);
BEGIN
    EXECUTE format($ddl$
CREATE OR REPLACE FUNCTION %1$s() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %2$L
$ddl$, name, format($body$
DECLARE
  __pgt_added_rows bigint := 0;
  __pgt_gone_rows bigint := 0;
  __pgt_expected_rows bigint;
BEGIN
  PERFORM FROM pgtrickle.pgt_change_tracking WHERE source_id = %1$s FOR NO KEY UPDATE;
%2$s
  IF __pgt_added_rows + __pgt_gone_rows > 0 THEN
    UPDATE pgtrickle.pgt_change_tracking SET polled_at = clock_timestamp() WHERE source_id = %1$s;
  END IF;
END
$body$, _write_poll.source_id,
        pgtrickle._difference(copied, source, copied, '  nothing AS (SELECT)', 'the copy of ' || source::regclass)));
    EXECUTE format('REVOKE ALL ON FUNCTION %s() FROM PUBLIC', name);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s() TO %I', name, pgtrickle._catalog_owner());
END
$fn$;
