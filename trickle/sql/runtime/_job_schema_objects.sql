-- The names of all that a schema of jobs has of its own.
CREATE FUNCTION pgtrickle._job_schema_objects(OUT tables text[], OUT functions text[])
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT '{job,job_cancel_requests,job_throttles,job_schedules}'::text[],
           '{_admit_jobs,_complete_jobs,_due_jobs,_end_jobs,_fail_jobs,_held_jobs,_job_bell_class,_job_key_lock,
             _job_worker_class,_lease_jobs,_lock_job_keys,_pass_job_keys,_probe_jobs,_progress_jobs,_prune_jobs,_reclaim_jobs,
             _release_jobs,_ring_jobs,_ring_tenant,_run_schedule,_settle_jobs,_unpark_job,cancel_job,enqueue,enqueue_debounced,
             enqueue_many,enqueue_throttled,grant_enqueue,job_status,queue_status,redrive,retry_job,schedule_job,
             unschedule_job}'::text[]
$fn$;
