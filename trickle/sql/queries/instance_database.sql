-- Where we are: fixed for a session, asked once after connecting.
SELECT d.oid::bigint, d.datname, to_regclass('pgtrickle.pgt_stream_tables') IS NOT NULL,
       has_schema_privilege(coalesce(to_regnamespace('pgtrickle'), 'pg_catalog'::regnamespace)::oid, 'USAGE')
  FROM pg_catalog.pg_database AS d
 WHERE d.datname = current_database()
