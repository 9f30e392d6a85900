-- The profiles of pg_trickle.profile: values for settings that nobody has set.
CREATE FUNCTION pgtrickle._presets(profile text) RETURNS TABLE (name text, value text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT p.name, p.value
    FROM (VALUES
        ('low-latency', 'scheduler_interval_ms', '200'),
        ('low-latency', 'event_driven_wake', 'on'),
        ('low-latency', 'parallel_refresh_mode', 'on'),
        ('low-latency', 'max_dynamic_refresh_workers', '8'),
        ('low-latency', 'tiered_scheduling', 'on'),
        ('high-throughput', 'scheduler_interval_ms', '500'),
        ('high-throughput', 'parallel_refresh_mode', 'on'),
        ('high-throughput', 'max_dynamic_refresh_workers', '16'),
        ('high-throughput', 'max_concurrent_refreshes', '8'),
        ('high-throughput', 'per_database_worker_quota', '8'),
        ('high-throughput', 'tiered_scheduling', 'on'),
        ('high-throughput', 'merge_work_mem_mb', '128'),
        ('constrained', 'scheduler_interval_ms', '2000'),
        ('constrained', 'parallel_refresh_mode', 'on'),
        ('constrained', 'max_dynamic_refresh_workers', '2'),
        ('constrained', 'max_concurrent_refreshes', '2'),
        ('constrained', 'tiered_scheduling', 'on'),
        ('constrained', 'delta_work_mem_cap_mb', '256'),
        ('constrained', 'merge_work_mem_mb', '32')) p(profile, name, value)
    WHERE p.profile = _presets.profile
$fn$;
