-- The columns of a table that can be written, with their types without limits: a cast to varchar(5) would cut what it is
-- given, and an assignment refuses it. Nothing when there is no such table.
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, NULL)
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.oid = to_regclass(%(table)s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
 ORDER BY a.attnum
