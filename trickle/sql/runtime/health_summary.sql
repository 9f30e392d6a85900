-- How the stream tables of this database are, in one row. A server keeps no cache of templates for us: cache_hit_rate is
-- the share of the pages of stream tables and change buffers that were found in memory.
CREATE FUNCTION pgtrickle.health_summary()
RETURNS TABLE (total_stream_tables int, active_count int, error_count int, suspended_count int, stale_count int,
               reinit_pending int, max_staleness_seconds float8, scheduler_status text, cache_hit_rate float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT count(*)::int, count(*) FILTER (WHERE i.status = 'ACTIVE')::int,
           count(*) FILTER (WHERE i.status = 'ERROR' OR i.consecutive_errors > 0)::int,
           count(*) FILTER (WHERE i.status = 'SUSPENDED')::int, count(*) FILTER (WHERE i.stale)::int,
           count(*) FILTER (WHERE i.needs_reinit)::int,
           max(extract(epoch FROM i.staleness))::float8, pgtrickle._scheduler_status(),
           (SELECT sum(t.heap_blks_hit)::float8 / nullif(sum(t.heap_blks_hit + t.heap_blks_read), 0)
            FROM pg_statio_all_tables t
            WHERE t.schemaname = 'pgtrickle_changes'
               OR t.relid IN (SELECT s.pgt_relid FROM pgtrickle.pgt_stream_tables s))
    FROM pgtrickle.stream_tables_info i
$fn$;
