-- The tables a verification has to lock; polled sources cannot be locked.
SELECT n.nspname, c.relname
  FROM pgtrickle.pgt_dependencies AS d
  JOIN pg_catalog.pg_class AS c ON c.oid = d.source_relid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE d.pgt_id = %(pgt_id)s
   AND c.relkind IN ('r', 'p')
 ORDER BY d.source_relid
