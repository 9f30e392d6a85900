-- Everything in the schema but the version table of the migrations. What a view or a function reads goes with it.
DO $do$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT p.oid::regprocedure AS signature FROM pg_proc p WHERE p.pronamespace = 'pgtrickle'::regnamespace
    LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS %s CASCADE', item.signature);
    END LOOP;
    FOR item IN
        SELECT c.relname, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind FROM pg_class c
        WHERE c.relnamespace = 'pgtrickle'::regnamespace AND c.relkind IN ('v', 'r', 'c') AND c.relname <> 'alembic_version'
    LOOP
        EXECUTE format('DROP %s IF EXISTS pgtrickle.%I CASCADE', item.kind, item.relname);
    END LOOP;
END
$do$;
