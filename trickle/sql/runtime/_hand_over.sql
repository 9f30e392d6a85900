-- What is made for a stream table belongs to its owner, whoever made it: it runs with the rights of whom it belongs to.
CREATE FUNCTION pgtrickle._hand_over(object_kind text, identity text, storage regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    owner name := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = storage);
BEGIN
    IF owner <> current_user AND pg_has_role(owner, 'USAGE') THEN
        EXECUTE format('ALTER %s %s OWNER TO %I', object_kind, identity, owner);
    END IF;
END
$fn$;
