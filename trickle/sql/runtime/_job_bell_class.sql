-- The first number of the advisory locks that are the bells of queues; the second is the bell. It stands as it is in
-- pgtrickle._ring_jobs and pgtrickle.enqueue too, which are called for every job, and in a schema of jobs is another.
CREATE FUNCTION pgtrickle._job_bell_class() RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp RETURN 1885828973;
