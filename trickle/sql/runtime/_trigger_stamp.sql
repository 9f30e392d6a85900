-- The capture triggers of a source and its members, each by state and by the transaction that last touched it.
CREATE FUNCTION pgtrickle._trigger_stamp(relid oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    SELECT md5(string_agg(t.oid || ':' || t.xmin || t.tgenabled::text, ',' ORDER BY t.oid))
    FROM pgtrickle._members(_trigger_stamp.relid) m
    JOIN pg_trigger t ON t.tgrelid = m.member AND t.tgname LIKE ' pgt\_capture\_%'
$fn$;
