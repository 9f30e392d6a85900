-- What to expect after a measurement: a moving mean, in which a refresh that took more than 2.5 times as long as expected
-- (a cold cache, a first plan, a lock) counts for little, until more of them follow soon. A trial is rare, and counts for
-- more. Pure: numbers in, numbers out.
CREATE FUNCTION pgtrickle._believe(
    expected_ms float8, measured_ms float8, measured int, doubt float8, is_trial boolean,
    OUT believed_ms float8, OUT next_doubt float8)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    ratio float8 := measured_ms / greatest(expected_ms, 1e-6);
    step  float8 := greatest(CASE WHEN is_trial THEN 0.9 ELSE 0.2 END, 1.0 / (measured + 1));
BEGIN
    IF ratio <= 2.5 THEN
        believed_ms := expected_ms + step * (measured_ms - expected_ms);
        next_doubt := CASE WHEN doubt > 5 THEN doubt / 2 END;
    ELSIF doubt IS NOT NULL OR is_trial THEN
        believed_ms := expected_ms * least(ratio, 
            CASE WHEN is_trial THEN 5 WHEN measured = 0 THEN doubt ELSE least(doubt, 2.5) END);
        next_doubt := coalesce(doubt, ratio);
    ELSE
        believed_ms := expected_ms * CASE WHEN measured = 0 THEN 1 ELSE 1.1 END;
        next_doubt := ratio;
    END IF;
END
$fn$;
