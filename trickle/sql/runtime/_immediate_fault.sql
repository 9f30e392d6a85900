-- Is there a source of an IMMEDIATE stream table whose writes would not bring it up to date?
CREATE FUNCTION pgtrickle._immediate_fault(pgt_id bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT EXISTS (
        SELECT FROM pgtrickle.pgt_immediate i
        JOIN pgtrickle.pgt_change_tracking t USING (source_id),
        LATERAL pgtrickle._immediate_triggers(t.source_id, t.source_relid, true)
        WHERE i.pgt_id = _immediate_fault.pgt_id)
$fn$;
