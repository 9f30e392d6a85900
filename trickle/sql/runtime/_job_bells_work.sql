-- Whether whoever puts a job into a queue can notify: a transaction that has cannot be prepared. A role that runs jobs of a
-- schema of its own may ask, and sees nothing else of the catalog.
CREATE FUNCTION pgtrickle._job_bells_work() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE pgtrickle._setting('event_driven_wake', 'auto')
                WHEN 'auto' THEN current_setting('max_prepared_transactions') = '0'
                ELSE pgtrickle._setting_flag('event_driven_wake', 'auto') END
$fn$;
