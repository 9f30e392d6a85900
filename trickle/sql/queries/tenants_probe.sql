-- What a runner would find in these schemas. %(schemas)s.
SELECT p.schema_name, p.has_work, p.next_seconds, p.problem FROM pgtrickle._probe_job_schemas(%(schemas)s::text[]) p
