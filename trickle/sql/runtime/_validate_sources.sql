-- What there is to say of the relations a bound query reads: how each can be captured, its key, and the caller's rights.
CREATE FUNCTION pgtrickle._validate_sources(view_oid oid)
RETURNS TABLE (place int, check_name text, result text, severity text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH source AS (
        SELECT c.oid, c.oid::regclass::text AS name, c.relkind, c.relowner,
               c.relkind IN ('r', 'p') AND NOT EXISTS (
                   SELECT FROM pgtrickle._members(c.oid) m JOIN pg_class l ON l.oid = m.member
                   WHERE l.relkind NOT IN ('r', 'p')) AS is_captured
        FROM pgtrickle._query_sources(view_oid) q JOIN pg_class c ON c.oid = q.relid
    )
    SELECT 1, 'source', s.name || CASE WHEN s.is_captured THEN ' is captured by triggers'
                                       WHEN s.relkind = 'v' THEN ' is a view, read through'
                                       ELSE ' fires no triggers and is polled: each refresh reads it and compares it with a copy' END,
           CASE WHEN s.is_captured OR s.relkind = 'v' THEN 'INFO' ELSE 'WARNING' END
    FROM source s
    UNION ALL
    SELECT 2, 'key', s.name || ' has no key: its rows are told apart by all their columns', 'WARNING'
    FROM source s WHERE s.is_captured AND pgtrickle._key_attnums(s.oid) = '{}'
    UNION ALL
    SELECT 3, 'rights', format('%s reads %s through a view only', current_user, s.name), 'WARNING'
    FROM source s WHERE NOT has_any_column_privilege(s.oid, 'SELECT')
    UNION ALL
    SELECT 3, 'rights', format('%s must act as %s to capture %s', current_user, pg_get_userbyid(s.relowner), s.name), 'ERROR'
    FROM source s
    WHERE s.is_captured AND NOT pg_has_role(s.relowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM pgtrickle.pgt_change_tracking t WHERE t.source_relid = s.oid)
    UNION ALL
    SELECT 4, 'row_security', s.name || ' shows this role only some of its rows', 'WARNING'
    FROM source s WHERE row_security_active(s.oid)
$fn$;
