-- The cost of differential refreshes after one that took so long: the difference to what was predicted goes to the fixed
-- part and to the part per change by their shares in the prediction, so small refreshes teach the one and large ones the
-- other. Pure: a row in, a row out.
CREATE FUNCTION pgtrickle._learn_differential(
    cost pgtrickle.pgt_differential_costs, changes bigint, measured_ms float8, is_trial boolean)
RETURNS pgtrickle.pgt_differential_costs
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    expected_ms float8 := cost.fixed_ms + cost.ms_per_change * changes;
    fixed_share float8 := cost.fixed_ms / expected_ms;
    scale       float8;
    learned     record;
BEGIN
    SELECT * INTO learned FROM pgtrickle._believe(expected_ms, measured_ms, cost.measured, cost.doubt, is_trial);
    scale := (learned.believed_ms / expected_ms - 1) / (fixed_share ^ 2 + (1 - fixed_share) ^ 2);
    cost.fixed_ms := greatest(cost.fixed_ms * greatest(1 + scale * fixed_share, 0.05), 0.05);
    cost.ms_per_change := greatest(cost.ms_per_change * greatest(1 + scale * (1 - fixed_share), 0.05), 1e-6);
    IF cost.measured > 0 OR cost.doubt IS NOT NULL OR learned.next_doubt IS NULL THEN
        cost.measured := least(cost.measured + 1, 1000000);
        cost.largest := greatest(cost.largest, changes);
    END IF;
    cost.doubt := learned.next_doubt;
    RETURN cost;
END
$fn$;
