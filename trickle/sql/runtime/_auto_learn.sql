-- Remember what a refresh took. Full refreshes teach whatever asked for them; differential ones only where AUTO chooses,
-- and one that turned out to need a full refresh took both.
CREATE FUNCTION pgtrickle._auto_learn(
    pgt_id bigint, choice pgtrickle.refresh_choice, action text,
    begun timestamptz, begun_full timestamptz, ended timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    total_ms     float8 := extract(epoch FROM ended - begun) * 1000;
    full_ms      float8 := CASE WHEN action = 'FULL' THEN extract(epoch FROM ended - begun_full) * 1000 END;
    size         record;
    cost         pgtrickle.pgt_differential_costs;
    full_cost    pgtrickle.pgt_full_costs;
    learned      record;
    preferred_ms float8;
    free_ms      float8;
BEGIN
    IF full_ms IS NOT NULL THEN
        SELECT * INTO size FROM pgtrickle._source_size(_auto_learn.pgt_id);
        SELECT f.* INTO full_cost FROM pgtrickle.pgt_full_costs f WHERE f.pgt_id = _auto_learn.pgt_id;
        SELECT * INTO learned FROM pgtrickle._believe(
            coalesce(pgtrickle._predicted_full_ms(full_cost.ms, full_cost.source_bytes, size.bytes), full_ms), full_ms,
            coalesce(full_cost.measured, 0), full_cost.doubt, coalesce(choice.is_trial, false));
        INSERT INTO pgtrickle.pgt_full_costs AS f (pgt_id, ms, source_bytes, measured, doubt)
        VALUES (_auto_learn.pgt_id, learned.believed_ms, coalesce(size.bytes, 0), 1, learned.next_doubt)
        ON CONFLICT (pgt_id) DO UPDATE SET
            ms = excluded.ms, source_bytes = excluded.source_bytes, measured = least(f.measured + 1, 1000000),
            doubt = excluded.doubt;
    END IF;
    IF choice.differential_ms IS NULL THEN
        RETURN;
    END IF;

    cost := pgtrickle._cost_of_changes(_auto_learn.pgt_id, choice.changed);
    IF cost.pgt_id IS NULL THEN
        -- A first fill says little of a full refresh: as long as there was nothing else, one trial is free.
        SELECT CASE WHEN f.measured <= 2 THEN f.ms ELSE 0 END INTO free_ms
        FROM pgtrickle.pgt_full_costs f WHERE f.pgt_id = _auto_learn.pgt_id;
        cost := (_auto_learn.pgt_id, choice.changed, 1, choice.cautious_ms_per_change, 0, 0, NULL, 'DIFFERENTIAL',
                 coalesce(free_ms, 0), 0);
    END IF;
    IF choice.action = 'DIFFERENTIAL' THEN
        cost := pgtrickle._learn_differential(cost, choice.changes, total_ms, choice.is_trial);
    END IF;
    preferred_ms := CASE WHEN (choice.action = 'FULL') <> choice.is_trial THEN choice.full_ms
                         ELSE choice.differential_ms END;
    cost := pgtrickle._settle_credit(cost, choice.is_trial, total_ms, preferred_ms);
    IF NOT choice.is_trial THEN
        cost.last_choice := choice.action;
    END IF;
    INSERT INTO pgtrickle.pgt_differential_costs AS c SELECT (cost).*
    ON CONFLICT (pgt_id, changed) DO UPDATE SET
        fixed_ms = excluded.fixed_ms, ms_per_change = excluded.ms_per_change, measured = excluded.measured,
        largest = excluded.largest, doubt = excluded.doubt, last_choice = excluded.last_choice,
        credit_ms = excluded.credit_ms, confirmed = excluded.confirmed;
END
$fn$;
