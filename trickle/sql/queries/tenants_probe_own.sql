-- What a runner would find in the schema of the search path.
SELECT p.has_work, p.next_seconds FROM _probe_jobs() p
