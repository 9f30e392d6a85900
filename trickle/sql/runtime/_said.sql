-- What somebody has said of a setting: of the session or database (pg_trickle.name), else of this catalog (set_config). A
-- session of ours lives for long and sets nothing itself: what ALTER DATABASE or ALTER ROLE has set since it began counts
-- at once, as it would in a session that begins now.
CREATE FUNCTION pgtrickle._said(name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT coalesce(
        CASE WHEN starts_with(current_setting('application_name'), 'pg_trickle_') THEN (
            SELECT nullif(substr(c.entry, strpos(c.entry, '=') + 1), '')
            FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c(entry)
            WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
              AND s.setrole IN (0, current_user::regrole::oid)
              AND lower(split_part(c.entry, '=', 1)) = 'pg_trickle.' || _said.name
            ORDER BY s.setrole = 0, s.setdatabase = 0
            LIMIT 1) END,
        nullif(current_setting('pg_trickle.' || name, true), ''),
        (SELECT s.value FROM pgtrickle.pgt_settings s WHERE s.name = _said.name))
$fn$;
