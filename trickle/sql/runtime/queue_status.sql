-- Every queue: how many jobs are in which state, and for how many seconds the first that could run has waited.
CREATE FUNCTION pgtrickle.queue_status()
RETURNS TABLE (queue text, ready bigint, waiting bigint, active bigint, completed bigint, cancelled bigint, failed bigint,
               oldest_ready_seconds float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT j.name,
           count(*) FILTER (WHERE j.state IN ('created', 'retry') AND j.is_ready),
           count(*) FILTER (WHERE j.state IN ('created', 'retry') AND NOT j.is_ready),
           count(*) FILTER (WHERE j.state = 'active'),
           count(*) FILTER (WHERE j.state = 'completed'),
           count(*) FILTER (WHERE j.state = 'cancelled'),
           count(*) FILTER (WHERE j.state = 'failed'),
           extract(epoch FROM clock_timestamp() - min(j.start_after) FILTER (WHERE j.state IN ('created', 'retry') AND j.is_ready))::float8
    FROM pgtrickle.job j GROUP BY j.name ORDER BY j.name
$fn$;
