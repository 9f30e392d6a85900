--- worker pool / status
SELECT * FROM pgtrickle.worker_pool_status();
--- worker pool / jobs
SELECT * FROM pgtrickle.parallel_job_status(300);
--- health / summary
SELECT * FROM pgtrickle.health_summary();
--- buffers / backlog
SELECT * FROM pgtrickle.change_buffer_sizes()
ORDER BY row_count DESC
LIMIT 20;
--- worker pool / scheduler loop
SELECT active_workers, max_workers
FROM pgtrickle.worker_pool_status();
--- worker pool / saturated
SELECT active_workers >= max_workers AS saturated
FROM pgtrickle.worker_pool_status();
--- durations / longest
SELECT st.pgt_schema, st.pgt_name,
       AVG(EXTRACT(EPOCH FROM (h.end_time - h.start_time))) AS avg_sec,
       MAX(EXTRACT(EPOCH FROM (h.end_time - h.start_time))) AS max_sec,
       COUNT(*) AS refreshes
FROM pgtrickle.pgt_refresh_history h
JOIN pgtrickle.pgt_stream_tables st ON st.pgt_id = h.pgt_id
WHERE h.start_time > now() - interval '1 hour'
  AND h.status = 'COMPLETED'
GROUP BY st.pgt_schema, st.pgt_name
ORDER BY avg_sec DESC
LIMIT 20;
--- worker pool / profile
SELECT now() AS ts,
       (SELECT active_workers FROM pgtrickle.worker_pool_status()) AS active,
       (SELECT max_workers FROM pgtrickle.worker_pool_status()) AS pool_size,
       (SELECT COUNT(*) FROM pgtrickle.parallel_job_status(5)
        WHERE status = 'QUEUED') AS queue_depth;
