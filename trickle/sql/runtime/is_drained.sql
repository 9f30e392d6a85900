-- Is nothing refreshed until somebody asks for it? Tables that their writers keep do not count.
CREATE FUNCTION pgtrickle.is_drained() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s
                       WHERE s.status IN ('INITIALIZING', 'ACTIVE') AND s.refresh_mode <> 'IMMEDIATE')
$fn$;
