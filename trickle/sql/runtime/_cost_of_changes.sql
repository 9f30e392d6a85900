-- What is known of refreshes for which these sources changed together. If they never did, the set most like it is taken
-- for a beginning: its prediction counts, its measurements do not. NULL where nothing is known at all.
CREATE FUNCTION pgtrickle._cost_of_changes(pgt_id bigint, changed int[]) RETURNS pgtrickle.pgt_differential_costs
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    cost pgtrickle.pgt_differential_costs;
BEGIN
    SELECT c.* INTO cost FROM pgtrickle.pgt_differential_costs c
    WHERE c.pgt_id = _cost_of_changes.pgt_id AND c.changed = _cost_of_changes.changed;
    IF FOUND THEN
        RETURN cost;
    END IF;
    SELECT c.* INTO cost FROM pgtrickle.pgt_differential_costs c
    WHERE c.pgt_id = _cost_of_changes.pgt_id AND c.largest > 0
    ORDER BY (SELECT count(*) FROM unnest(c.changed || _cost_of_changes.changed) u(id)
              WHERE NOT (c.changed @> ARRAY[u.id] AND _cost_of_changes.changed @> ARRAY[u.id])), c.changed
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    cost.changed := _cost_of_changes.changed;
    cost.measured := 0;
    cost.doubt := NULL;
    cost.credit_ms := 0;
    cost.confirmed := 0;
    RETURN cost;
END
$fn$;
