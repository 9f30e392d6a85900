-- Record how the sources and functions of a stream table look now: what it is compiled against and filled from.
CREATE FUNCTION pgtrickle._restamp(pgt_id bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    UPDATE pgtrickle.pgt_dependencies d
    SET stamp = pgtrickle.source_stamp(d.source_relid), column_snapshot = pgtrickle._source_facts(d.source_relid),
        source_schema = n.nspname, source_name = c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.pgt_id = _restamp.pgt_id AND c.oid = d.source_relid;
    UPDATE pgtrickle.pgt_stream_tables s
    SET function_hashes = pgtrickle._functions_stamp(s.function_oids)
    WHERE s.pgt_id = _restamp.pgt_id
$fn$;
