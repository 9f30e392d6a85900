-- Keep what a consumer has polled for so many seconds from now; NULL when it holds nothing any more.
CREATE FUNCTION pgtrickle.extend_lease(group_name text, consumer_id text, extension_seconds int DEFAULT 30) RETURNS timestamptz
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    expires timestamptz;
BEGIN
    IF NOT extension_seconds BETWEEN 1 AND 86400 THEN
        RAISE EXCEPTION 'invalid argument: extension_seconds is %, and must be between 1 and 86400', extension_seconds
            USING ERRCODE = '22023';
    END IF;
    PERFORM pgtrickle._lock_group(group_name);
    UPDATE pgtrickle.pgt_consumer_leases l
    SET lease_expires = greatest(l.lease_expires, clock_timestamp() + make_interval(secs => extension_seconds))
    WHERE l.group_name = extend_lease.group_name AND l.consumer_id = extend_lease.consumer_id
    RETURNING l.lease_expires INTO expires;
    PERFORM pgtrickle.consumer_heartbeat(group_name, consumer_id);
    RETURN expires;
END
$fn$;
