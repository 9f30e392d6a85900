-- A setting: what somebody has said of it, else what the profile says that somebody has chosen, else the fallback.
CREATE FUNCTION pgtrickle._setting(name text, fallback text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT coalesce(
        pgtrickle._said(name),
        (SELECT p.value FROM pgtrickle._presets(pgtrickle._said('profile')) p WHERE p.name = _setting.name),
        fallback)
$fn$;
