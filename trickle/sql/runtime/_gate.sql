CREATE FUNCTION pgtrickle._gate(relid oid, gated boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
BEGIN
    PERFORM pgtrickle._assert_source_writer(_gate.relid);
    IF _gate.gated THEN
        INSERT INTO pgtrickle.pgt_source_gates AS g (source_relid, gated_by)
        VALUES (_gate.relid, session_user)
        ON CONFLICT (source_relid) DO UPDATE
            SET gated = true, gated_at = now(), ungated_at = NULL, gated_by = excluded.gated_by;
    ELSE
        UPDATE pgtrickle.pgt_source_gates g SET gated = false, ungated_at = now()
        WHERE g.source_relid = _gate.relid AND g.gated;
    END IF;
    PERFORM pg_notify('pgtrickle_source_gate', _gate.relid::text), pgtrickle._ring();
END
$fn$;
