-- Give new storage the owner, the grants, those on columns included, and the comments of the old.
CREATE FUNCTION pgtrickle._copy_rights(old_storage regclass, new_storage regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    owner   oid := (SELECT c.relowner FROM pg_class c WHERE c.oid = old_storage);
    granted record;
    item    record;
BEGIN
    FOR item IN SELECT m.member::regclass AS part FROM pgtrickle._members(new_storage) m LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO %I', item.part, pg_get_userbyid(owner));
    END LOOP;
    FOR granted IN
        SELECT a.privilege_type, a.grantee, a.is_grantable, '' AS columns
        FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = old_storage AND a.grantee <> owner
        UNION ALL
        SELECT a.privilege_type, a.grantee, a.is_grantable, format(' (%I)', o.attname)
        FROM pg_attribute o
        JOIN pg_attribute n ON n.attrelid = new_storage AND n.attname = o.attname AND NOT n.attisdropped,
             aclexplode(o.attacl) a
        WHERE o.attrelid = old_storage AND o.attnum > 0 AND NOT o.attisdropped AND a.grantee <> owner
    LOOP
        EXECUTE format('GRANT %s%s ON %s TO %s%s', granted.privilege_type, granted.columns, new_storage,
                       CASE WHEN granted.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(granted.grantee)) END,
                       CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    FOR item IN
        SELECT format('TABLE %s', new_storage) AS object, obj_description(old_storage, 'pg_class') AS said
        UNION ALL
        SELECT format('COLUMN %s.%I', new_storage, o.attname), col_description(old_storage, o.attnum)
        FROM pg_attribute o
        JOIN pg_attribute n ON n.attrelid = new_storage AND n.attname = o.attname AND NOT n.attisdropped
        WHERE o.attrelid = old_storage AND o.attnum > 0 AND NOT o.attisdropped
    LOOP
        CONTINUE WHEN item.said IS NULL;
        EXECUTE format('COMMENT ON %s IS %L', item.object, item.said);
    END LOOP;
END
$fn$;
