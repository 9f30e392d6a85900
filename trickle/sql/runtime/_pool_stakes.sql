-- What the instances of this server say of themselves in the name of their lock session.
CREATE FUNCTION pgtrickle._pool_stakes() RETURNS TABLE (pid int, db_oid oid, uses int, wants int, quota int, most int)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    SELECT a.pid, a.datid, w[1]::int, w[2]::int, w[3]::int, w[4]::int
    FROM pg_stat_activity a
    CROSS JOIN LATERAL regexp_match(a.application_name,
                                    '^pg_trickle_lock uses=(\d{1,4}) wants=(\d{1,4}) quota=(\d{1,4}) most=(\d{1,4})$') w
    WHERE w IS NOT NULL
$fn$;
