-- The credit for trials after a refresh. Each one puts aside a share of its time: 3 %, less with every trial that only
-- confirmed the choice, never less than 1 %. A trial empties it, and what it took too long has to be earned again.
-- Pure: a row in, a row out.
CREATE FUNCTION pgtrickle._settle_credit(
    cost pgtrickle.pgt_differential_costs, is_trial boolean, measured_ms float8, preferred_ms float8)
RETURNS pgtrickle.pgt_differential_costs
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF is_trial THEN
        cost.credit_ms := least(cost.credit_ms - greatest(measured_ms - preferred_ms, 0), 0);
        cost.confirmed := CASE WHEN measured_ms < preferred_ms THEN 0 ELSE least(cost.confirmed + 1, 1000) END;
    ELSE
        cost.credit_ms := cost.credit_ms + measured_ms * greatest(0.04 / (1 + cost.confirmed), 0.02);
    END IF;
    RETURN cost;
END
$fn$;
