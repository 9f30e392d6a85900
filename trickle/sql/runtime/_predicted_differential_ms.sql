-- What a differential refresh of so many changes takes. Without history, and for eight times more changes than were ever
-- measured, it is not believed to be cheaper than by the cautious measure. Pure.
CREATE FUNCTION pgtrickle._predicted_differential_ms(
    cost pgtrickle.pgt_differential_costs, changes bigint, cautious_ms_per_change float8) RETURNS float8
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE WHEN coalesce((cost).largest, 0) = 0 THEN 1 + changes * cautious_ms_per_change
                WHEN changes > 8 * (cost).largest
                THEN greatest((cost).fixed_ms + changes * (cost).ms_per_change, 1 + changes * cautious_ms_per_change)
                ELSE (cost).fixed_ms + changes * (cost).ms_per_change END
$fn$;
