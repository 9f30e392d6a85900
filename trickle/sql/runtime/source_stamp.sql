-- A cheap fingerprint of everything about a source that a program or its capture relies on: the relation and its
-- members, columns, indexes, view rule, policies and our triggers, each by the transaction that last wrote its row.
-- A difference does not mean that anything relevant changed, only that _revalidate must look.
CREATE FUNCTION pgtrickle.source_stamp(relid oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    class record;
    stamp text;
BEGIN
    SELECT c.xmin AS at, c.relkind, c.relhassubclass, c.relrowsecurity INTO class FROM pg_class c WHERE c.oid = relid;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT concat_ws('|', class.at,
        (SELECT string_agg(a.xmin::text, ',' ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = relid AND a.attnum > 0),
        (SELECT string_agg(i.indexrelid || ':' || i.xmin, ',' ORDER BY i.indexrelid) FROM pg_index i
         WHERE i.indrelid = relid))
    INTO stamp;
    IF class.relkind = 'v' THEN
        stamp := stamp || '|v' || (SELECT string_agg(r.xmin::text, ',') FROM pg_rewrite r WHERE r.ev_class = relid);
    ELSIF class.relkind = 'p' OR class.relhassubclass THEN
        stamp := stamp || '|m' || (
            SELECT string_agg(m.member || ':' || c.xmin || ':' || coalesce(
                       (SELECT string_agg(t.xmin::text || t.tgenabled::text, ',' ORDER BY t.tgname) FROM pg_trigger t
                        WHERE t.tgrelid = m.member AND t.tgname LIKE ' pgt\_capture\_%'), ''), ',' ORDER BY m.member)
            FROM pgtrickle._members(relid) m JOIN pg_class c ON c.oid = m.member);
    ELSE
        stamp := stamp || '|t' || coalesce(
            (SELECT string_agg(t.xmin::text || t.tgenabled::text, ',' ORDER BY t.tgname) FROM pg_trigger t
             WHERE t.tgrelid = relid AND t.tgname LIKE ' pgt\_capture\_%'), '');
    END IF;
    IF class.relrowsecurity THEN
        stamp := stamp || '|p' || coalesce(
            (SELECT string_agg(p.xmin::text, ',' ORDER BY p.oid) FROM pg_policy p WHERE p.polrelid = relid), '');
    END IF;
    RETURN md5(stamp);
END
$fn$;
