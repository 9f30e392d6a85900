-- A setting: of the session or database (pg_trickle.name), else of this catalog (set_config), else of the profile that is
-- set in either way, else the fallback.
CREATE FUNCTION pgtrickle._setting(name text, fallback text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT coalesce(
        nullif(current_setting('pg_trickle.' || name, true), ''),
        (SELECT s.value FROM pgtrickle.pgt_settings s WHERE s.name = _setting.name),
        (SELECT p.value FROM pgtrickle._presets(coalesce(
             nullif(current_setting('pg_trickle.profile', true), ''),
             (SELECT s.value FROM pgtrickle.pgt_settings s WHERE s.name = 'profile'))) p
         WHERE p.name = _setting.name),
        fallback)
$fn$;
