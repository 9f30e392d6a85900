-- An AUTO refresh was cancelled after so long: had it been differential, it is from now on predicted to take that long, so
-- the next one is a full refresh. Otherwise it would be tried, and cancelled, for ever.
CREATE FUNCTION pgtrickle._auto_overrun(st pgtrickle.pgt_stream_tables, ms float8) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    choice pgtrickle.refresh_choice;
    factor float8;
BEGIN
    IF st.requested_mode <> 'AUTO' OR st.refresh_mode <> 'DIFFERENTIAL' OR st.program_state <> 'compiled' THEN
        RETURN;
    END IF;
    choice := pgtrickle._auto_choice(st);
    factor := ms / choice.differential_ms;
    IF choice.action <> 'DIFFERENTIAL' OR factor < 1 THEN
        RETURN;
    END IF;
    INSERT INTO pgtrickle.pgt_differential_costs AS c (pgt_id, changed, fixed_ms, ms_per_change, measured, largest)
    VALUES (st.pgt_id, choice.changed, factor, choice.cautious_ms_per_change * factor, 1, choice.changes)
    ON CONFLICT (pgt_id, changed) DO UPDATE SET
        fixed_ms = c.fixed_ms * factor, ms_per_change = c.ms_per_change * factor, measured = greatest(c.measured, 1),
        largest = greatest(c.largest, excluded.largest), doubt = NULL, credit_ms = least(c.credit_ms, 0) - ms;
END
$fn$;
