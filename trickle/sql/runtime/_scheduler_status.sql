-- Does anybody refresh here? ACTIVE while an instance holds its membership lock, STARTING while the only ones known are
-- new and do not hold it yet, else STOPPED.
CREATE FUNCTION pgtrickle._scheduler_status() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE WHEN count(*) FILTER (WHERE i.is_live) > 0 THEN 'ACTIVE'
                WHEN count(*) FILTER (WHERE now() - i.started_at < interval '10 seconds') > 0 THEN 'STARTING'
                ELSE 'STOPPED' END
    FROM pgtrickle.instances i WHERE NOT starts_with(i.group_id, 'relay:')
$fn$;
