-- The first number of the advisory locks that runners of jobs hold while they live; the second is the runner's own.
CREATE FUNCTION pgtrickle._job_worker_class() RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp RETURN 1885828974;
