-- The change buffer of a source, and whether it was never vacuumed nor analyzed.
SELECT n.nspname, c.relname, c.reltuples < 0
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = 'pgtrickle_changes'
   AND c.relname = 'changes_' || %(source_id)s::int
   AND c.relkind = 'r'
   AND pg_has_role(c.relowner, 'USAGE')
