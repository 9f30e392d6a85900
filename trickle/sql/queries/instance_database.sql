-- Where we are: fixed for a session, asked once after connecting. Whether there is a catalog, and whether we may use it.
SELECT d.oid::bigint, d.datname, c.oid IS NOT NULL,
       coalesce(has_schema_privilege(c.relnamespace, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
                AND has_table_privilege(c.oid, 'UPDATE'), false)
  FROM pg_catalog.pg_database AS d
  LEFT JOIN pg_catalog.pg_class AS c
    ON c.relname = 'pgt_stream_tables' AND c.relnamespace = to_regnamespace('pgtrickle')
 WHERE d.datname = current_database()
