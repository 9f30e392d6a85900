-- Hold the bells of these schemas, where whoever enqueues can ring; which of them are ours. %(schemas)s.
SELECT s.schema_name, pgtrickle._job_bells_work() AND pg_try_advisory_lock(pgtrickle._job_bell_class_of(s.schema_name), 128)
FROM unnest(%(schemas)s::text[]) AS s(schema_name)
