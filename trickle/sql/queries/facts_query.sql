-- The canonical text of a query view, its owner's session settings and the server's version.
SELECT pgtrickle._canonical_query(%(view)s) AS query,
       current_setting('server_version_num')::int AS server_version
