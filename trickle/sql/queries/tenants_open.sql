-- Let go of the bells of these schemas. %(schemas)s.
SELECT pg_advisory_unlock(pgtrickle._job_bell_class_of(s.schema_name), 128) FROM unnest(%(schemas)s::text[]) AS s(schema_name)
