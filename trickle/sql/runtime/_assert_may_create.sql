-- Programs run with their creator's rights, and whoever owns the catalog can rewrite it: a superuser's program under
-- an ordinary owner's catalog would give that owner the server.
CREATE FUNCTION pgtrickle._assert_may_create() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    owner name := pgtrickle._catalog_owner();
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'cannot define a stream table on a standby server'
            USING ERRCODE = '25006', HINT = 'Connect to the primary server.';
    END IF;
    IF (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)
       AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = owner) THEN
        RAISE EXCEPTION 'a superuser must not own a stream table of a catalog that % owns', owner
            USING ERRCODE = '42501', HINT = format('SET ROLE %I, or the role that shall own the stream table, first.', owner);
    END IF;
    IF NOT pg_has_role(owner, 'USAGE') THEN
        RAISE EXCEPTION 'permission denied: % may not create stream tables', current_user
            USING ERRCODE = '42501', HINT = format('An administrator may GRANT %I TO %I.', owner, current_user);
    END IF;
    PERFORM pgtrickle._assert_identity();
END
$fn$;
