-- Does anything a stream table was compiled against look different from when it was stamped?
CREATE FUNCTION pgtrickle._stale_stamp(pgt_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
BEGIN
    RETURN EXISTS (
        SELECT FROM pgtrickle.pgt_dependencies d
        WHERE d.pgt_id = _stale_stamp.pgt_id AND d.stamp IS DISTINCT FROM pgtrickle.source_stamp(d.source_relid))
    OR EXISTS (
        SELECT FROM pgtrickle.pgt_stream_tables s
        WHERE s.pgt_id = _stale_stamp.pgt_id AND s.function_oids <> '{}'
          AND s.function_hashes IS DISTINCT FROM pgtrickle._functions_stamp(s.function_oids));
END
$fn$;
