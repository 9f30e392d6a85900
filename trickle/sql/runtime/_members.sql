-- A source and everything below it: partitions at every level, or inheritance children.
CREATE FUNCTION pgtrickle._members(relid oid) RETURNS TABLE (member oid, is_root boolean)
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp AS $fn$
    WITH RECURSIVE tree(member) AS (
        SELECT _members.relid
        UNION
        SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.member AND NOT i.inhdetachpending
    )
    SELECT tree.member, tree.member = _members.relid FROM tree
$fn$;
