-- A cheap fingerprint of everything about a source that a program or its capture relies on: the relation and its
-- members, columns, indexes, view rule, policies and our triggers, each by the transaction that last wrote its row.
-- A difference does not mean that anything relevant changed, only that _revalidate must look.
CREATE FUNCTION pgtrickle.source_stamp(relid oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    class record;
    stamp text;
BEGIN
    -- In one statement what every relation has: this is part of every refresh, once for each source.
    SELECT c.relkind, c.relhassubclass, c.relrowsecurity,
           concat_ws('|', c.xmin,
               ARRAY(SELECT a.xmin FROM pg_attribute a WHERE a.attrelid = relid AND a.attnum > 0 ORDER BY a.attnum),
               ARRAY(SELECT i.indexrelid || ':' || i.xmin FROM pg_index i WHERE i.indrelid = relid ORDER BY i.indexrelid)) AS shape,
           ARRAY(SELECT t.xmin::text || t.tgenabled::text FROM pg_trigger t
                 WHERE t.tgrelid = relid AND starts_with(t.tgname, ' pgt_capture_') ORDER BY t.tgname) AS triggers
    INTO class FROM pg_class c WHERE c.oid = relid;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    stamp := class.shape;
    IF class.relkind = 'v' THEN
        stamp := stamp || '|v' || (SELECT string_agg(r.xmin::text, ',') FROM pg_rewrite r WHERE r.ev_class = relid);
    ELSIF class.relkind = 'p' OR class.relhassubclass THEN
        stamp := stamp || '|m' || (
            SELECT string_agg(m.member || ':' || c.xmin || ':' || coalesce(
                       (SELECT string_agg(t.xmin::text || t.tgenabled::text, ',' ORDER BY t.tgname) FROM pg_trigger t
                        WHERE t.tgrelid = m.member AND starts_with(t.tgname, ' pgt_capture_')), ''), ',' ORDER BY m.member)
            FROM pgtrickle._members(relid) m JOIN pg_class c ON c.oid = m.member);
    ELSE
        stamp := stamp || '|t' || class.triggers::text;
    END IF;
    IF class.relrowsecurity THEN
        stamp := stamp || '|p' || coalesce(
            (SELECT string_agg(p.xmin::text, ',' ORDER BY p.oid) FROM pg_policy p WHERE p.polrelid = relid), '');
    END IF;
    RETURN md5(stamp);
END
$fn$;
