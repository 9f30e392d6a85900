-- Those of these pipelines whose outbox may hold what they have not read. %(names)s, %(outbox_tables)s, %(seen)s.
SELECT pgtrickle._relay_pending(%(names)s::text[], %(outbox_tables)s::text[], %(seen)s::pg_snapshot[])
