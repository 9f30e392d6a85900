-- Have the relays look at the pipelines now, once this transaction is committed; and tell whoever listens.
CREATE FUNCTION pgtrickle._tell_relays(direction text, happened text, name text, enabled boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    PERFORM pg_notify('pgtrickle_relay_config', json_build_object(
        'direction', direction, 'event', happened, 'name', name, 'enabled', enabled)::text);
    PERFORM pgtrickle._ring();
END
$fn$;
