-- The server, the role, and whether this database is the one in which the frontiers were made.
SELECT current_setting('server_version') AS server_version,
       current_setting('server_version_num')::integer AS server_version_num,
       pg_is_in_recovery() AS is_standby,
       current_database()::text AS database,
       current_user::text AS role,
       i.catalog_version,
       (i.system_identifier = (pg_control_system()).system_identifier) AS same_cluster,
       (i.database_oid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))
           AS same_database,
       (i.catalog_oid = 'pgtrickle.identity'::regclass::oid) AS same_catalog,
       array(SELECT p.pubname::text FROM pg_catalog.pg_publication AS p WHERE p.puballtables ORDER BY 1)
           AS publications_of_all_tables
  FROM pgtrickle.identity AS i
