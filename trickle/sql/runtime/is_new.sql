-- Is a change unseen by this frontier? A transaction's own later writes count although its snapshot shows it done.
-- Free of SET and SECURITY DEFINER, so that it is inlined.
CREATE FUNCTION pgtrickle.is_new(xid xid8, seq bigint, snapshot pg_snapshot, own_xid xid8, own_seq bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $fn$
    SELECT CASE WHEN xid = own_xid THEN seq > own_seq ELSE NOT pg_visible_in_snapshot(xid, snapshot) END
$fn$;
