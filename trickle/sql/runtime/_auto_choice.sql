-- Read what an AUTO refresh is to be decided by, and decide: how many changes there are (counted no further than it
-- matters), what such refreshes have taken, what a full one takes at the present size of the sources.
CREATE FUNCTION pgtrickle._auto_choice(st pgtrickle.pgt_stream_tables) RETURNS pgtrickle.refresh_choice
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    counter    text := format('SELECT * FROM pgtrickle_programs.refresh_%s_changes($1)', st.pgt_id);
    few        bigint := 2000;  -- further is counted only where there are more
    most       bigint;
    counted    record;
    cost       pgtrickle.pgt_differential_costs;
    full_cost  pgtrickle.pgt_full_costs;
    size       record;
    decided    record;
    choice     pgtrickle.refresh_choice;
BEGIN
    EXECUTE counter INTO counted USING few + 1;
    IF counted.truncated THEN
        choice.action := 'FULL';
        choice.reason := 'a source was truncated';
        RETURN choice;
    ELSIF counted.changed = '{}' THEN
        choice.action := 'NO_DATA';
        RETURN choice;
    END IF;

    SELECT * INTO size FROM pgtrickle._source_size(st.pgt_id);
    SELECT f.* INTO full_cost FROM pgtrickle.pgt_full_costs f WHERE f.pgt_id = st.pgt_id;
    choice.full_ms := pgtrickle._predicted_full_ms(full_cost.ms, full_cost.source_bytes, size.bytes);
    choice.changed := counted.changed;
    cost := pgtrickle._cost_of_changes(st.pgt_id, choice.changed);
    choice.cautious_ms_per_change := pgtrickle._cautious_ms_per_change(choice.full_ms, size.row_count);
    most := least(2 * choice.full_ms / coalesce(nullif(cost.ms_per_change, 0), choice.cautious_ms_per_change), 1e8) + few;
    IF counted.changes > few THEN
        EXECUTE counter INTO counted USING most + 1;
    END IF;

    choice.differential_ms := pgtrickle._predicted_differential_ms(cost, counted.changes, choice.cautious_ms_per_change);
    SELECT * INTO decided FROM pgtrickle._choose_refresh(
        choice.differential_ms, choice.full_ms, coalesce(cost.last_choice, 'DIFFERENTIAL'), coalesce(cost.credit_ms, 0));
    IF decided.is_trial AND counted.changes > most THEN
        -- A measurement teaches only together with the true number.
        EXECUTE counter INTO counted USING NULL::bigint;
    END IF;
    choice.changes := counted.changes;
    choice.is_trial := decided.is_trial;
    IF counted.changes > st.max_delta_fraction * size.row_count THEN
        choice.action := 'FULL';
        choice.is_trial := false;
        choice.reason := format('%s changes are more than max_delta_fraction allows', choice.changes);
    ELSE
        choice.action := CASE WHEN (decided.preferred = 'FULL') <> decided.is_trial THEN 'FULL' ELSE 'DIFFERENTIAL' END;
    END IF;
    IF choice.action = 'FULL' AND choice.reason IS NULL THEN
        choice.reason := format(CASE WHEN choice.is_trial THEN 'tried to measure it anew: ' ELSE '' END
                                || 'predicted to take %s ms, and %s ms differentially',
                                round(choice.full_ms::numeric, 1), round(choice.differential_ms::numeric, 1));
    END IF;
    RETURN choice;
END
$fn$;
