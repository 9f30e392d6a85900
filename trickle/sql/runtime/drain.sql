-- Quiesce the database: when this has returned true and is committed, no refresh runs and none begins by itself until
-- resume_all(). False, and nothing changed, when one in progress takes longer than the time-out (0: the setting).
CREATE FUNCTION pgtrickle.drain(timeout_s int DEFAULT 60) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT pgtrickle._pause(
        ARRAY(SELECT s.pgt_id FROM pgtrickle.pgt_stream_tables s
              WHERE s.status IN ('INITIALIZING', 'ACTIVE') AND s.refresh_mode <> 'IMMEDIATE'),
        CASE WHEN timeout_s >= 1 THEN timeout_s ELSE pgtrickle._setting_seconds('drain_timeout', '60s') END)
$fn$;
