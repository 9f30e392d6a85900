-- What the connected role may do for each stream table: it owns it, may become its owner, or neither.
SELECT s.pgt_schema || '.' || s.pgt_name AS name,
       c.relowner::regrole::text AS owner,
       c.relowner = current_user::regrole::oid AS is_owner,
       pg_has_role(current_user, c.relowner,
                   CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END)
           AS may_become_owner,
       (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.oid = c.relowner) AS owner_is_superuser,
       (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user) AS is_superuser
  FROM pgtrickle.pgt_stream_tables AS s
  JOIN pg_catalog.pg_class AS c ON c.oid = s.pgt_relid
 ORDER BY 1
