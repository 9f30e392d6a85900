-- Captured sources whose own triggers are not as they should be, and those with members, which have to be looked at one by
-- one. One pass over the triggers of all.
CREATE FUNCTION pgtrickle._doubtful_captures() RETURNS SETOF pgtrickle.pgt_change_tracking
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    WITH wanted AS MATERIALIZED (
        SELECT m.mode, ' pgt_capture_' || w.kind AS name, w.enabled, count(*) OVER (PARTITION BY m.mode) AS all_of_them
        FROM (VALUES ('statement'), ('row')) m(mode) CROSS JOIN LATERAL pgtrickle._wanted_triggers(m.mode) w
    ), there AS MATERIALIZED (
        SELECT t.tgrelid, w.mode, count(*) AS found
        FROM pg_trigger t JOIN wanted w ON w.name = t.tgname AND w.enabled = t.tgenabled
        WHERE t.tgname LIKE ' pgt\_capture\_%'
        GROUP BY t.tgrelid, w.mode
    )
    SELECT t.*
    FROM pgtrickle.pgt_change_tracking t
    JOIN pg_class c ON c.oid = t.source_relid
    LEFT JOIN there ON there.tgrelid = t.source_relid AND there.mode = t.capture_mode
    WHERE c.relhassubclass OR c.relkind = 'p'
       OR there.found IS DISTINCT FROM (SELECT max(w.all_of_them) FROM wanted w WHERE w.mode = t.capture_mode)
$fn$;
