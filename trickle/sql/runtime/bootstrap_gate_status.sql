-- Gates, how long each has been (or was) closed, and whom it concerns; closed ones first.
CREATE FUNCTION pgtrickle.bootstrap_gate_status()
RETURNS TABLE (source_table text, schema_name text, gated boolean, gated_at timestamptz, ungated_at timestamptz,
               gated_by text, gate_duration interval, affected_stream_tables text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT c.relname::text, n.nspname::text, g.gated, g.gated_at, g.ungated_at, g.gated_by,
           coalesce(g.ungated_at, now()) - g.gated_at,
           (SELECT string_agg(s.pgt_schema || '.' || s.pgt_name, ', ' ORDER BY s.pgt_schema, s.pgt_name)
            FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
            WHERE d.source_relid = g.source_relid)
    FROM pgtrickle.pgt_source_gates g JOIN pg_class c ON c.oid = g.source_relid JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY g.gated DESC, 2, 1
$fn$;
