-- The fuse of every stream table, and what would blow it now.
CREATE FUNCTION pgtrickle.fuse_status()
RETURNS TABLE (stream_table text, fuse_mode text, fuse_state text, fuse_ceiling bigint, effective_ceiling bigint,
               fuse_sensitivity int, blown_at timestamptz, blow_reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_schema || '.' || s.pgt_name, s.fuse_mode, s.fuse_state, s.fuse_ceiling, pgtrickle._fuse_ceiling(s),
           s.fuse_sensitivity, s.blown_at, s.blow_reason
    FROM pgtrickle.pgt_stream_tables s ORDER BY 1
$fn$;
