--- quotas / cluster
ALTER SYSTEM SET pg_trickle.max_dynamic_refresh_workers = 8;
--- quotas / database
\c tenant_a
ALTER DATABASE tenant_a SET pg_trickle.max_dynamic_refresh_workers = 4;
--- cluster / cluster_worker_summary
SELECT * FROM pgtrickle.cluster_worker_summary();
--- metrics ports / tenant_a
\c tenant_a
ALTER DATABASE tenant_a SET pg_trickle.metrics_port = 9101;
--- metrics ports / tenant_b
\c tenant_b
ALTER DATABASE tenant_b SET pg_trickle.metrics_port = 9102;
--- alerts / listen
LISTEN pg_trickle_alert;
