-- Move dead letters that wait in a queue to where they came from, or to another queue, oldest first, as new jobs with all
-- their attempts. In one transaction, so none is lost; what is active stays. Returns how many were moved.
CREATE FUNCTION pgtrickle.redrive(queue text, to_queue text DEFAULT NULL, most int DEFAULT 1000) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    moved  bigint;
    queues text[];
    one    text;
BEGIN
    WITH letters AS (
        DELETE FROM pgtrickle.job j
        WHERE j.id IN (SELECT w.id FROM pgtrickle.job w
                       WHERE w.name = queue AND w.state IN ('created', 'retry', 'failed')
                         AND coalesce(to_queue, w.source_name) IS NOT NULL
                       ORDER BY w.id LIMIT most FOR UPDATE SKIP LOCKED)
        RETURNING j.*
    ), again AS (
        INSERT INTO pgtrickle.job (name, data, priority, expire_in, retry_limit, retry_delay, retry_backoff, ordering_key,
                                   dead_letter, keep_for)
        SELECT coalesce(to_queue, l.source_name), l.data, l.priority, l.expire_in, l.retry_limit, l.retry_delay,
               l.retry_backoff, l.ordering_key, nullif(queue, coalesce(to_queue, l.source_name)), l.keep_for
        FROM letters l ORDER BY l.id
        RETURNING name
    )
    SELECT count(*), array_agg(DISTINCT a.name) INTO moved, queues FROM again a;
    IF moved > 0 THEN
        FOREACH one IN ARRAY queues LOOP
            PERFORM pgtrickle._ring_jobs(one);
        END LOOP;
    END IF;
    RETURN moved;
END
$fn$;
