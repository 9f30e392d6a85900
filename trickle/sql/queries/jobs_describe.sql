-- Everything about job %(job)s, and who has it in hand.
SELECT j.*, a.pid AS session_pid, a.application_name AS session_name, a.client_addr::text AS session_from,
       EXISTS (SELECT FROM job_cancel_requests c WHERE c.job_id = j.id) AS cancel_requested
FROM job j
LEFT JOIN (SELECT l.objid, s.pid, s.application_name, s.client_addr
           FROM pg_locks l JOIN pg_stat_activity s ON s.pid = l.pid
           WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
             AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
             AND l.classid = _job_worker_class()::oid) a
       ON j.state = 'active' AND a.objid = j.worker_id
WHERE j.id = %(job)s
