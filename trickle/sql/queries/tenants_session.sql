-- Who serves this session, and whether the catalog is here.
SELECT pg_backend_pid(), to_regclass('pgtrickle.tenants') IS NOT NULL
