-- The newest %(most)s jobs of queue %(queue)s in state %(state)s; NULL means any.
SELECT j.id, j.name AS queue, j.state, j.priority, j.retry_count + (j.started_on IS NOT NULL)::int AS attempt,
       j.retry_limit + 1 AS attempts, j.created_on, j.start_after, j.started_on, j.completed_on, j.output ->> 'error' AS error
FROM job j
WHERE (%(queue)s::text IS NULL OR j.name = %(queue)s) AND (%(state)s::text IS NULL OR j.state = %(state)s)
ORDER BY j.id DESC LIMIT %(most)s
