-- Which refresh to do, by what each is predicted to take. The mode in force stays until the other is clearly better: by a
-- tenth and a millisecond. The other one is tried all the same when the credit, a small share of the time spent since,
-- pays for what it is predicted to take longer, so that a wrong prediction heals. A full refresh that would take ten times
-- as long is never tried: what it could show is not worth the wait. Pure: numbers in, a choice out.
CREATE FUNCTION pgtrickle._choose_refresh(
    differential_ms float8, full_ms float8, last_choice text, credit_ms float8,
    OUT preferred text, OUT is_trial boolean)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    own_ms   float8;
    other_ms float8;
BEGIN
    IF last_choice = 'FULL' THEN
        preferred := CASE WHEN differential_ms * 1.1 + 1 < full_ms THEN 'DIFFERENTIAL' ELSE 'FULL' END;
    ELSE
        preferred := CASE WHEN full_ms * 1.1 + 1 < differential_ms THEN 'FULL' ELSE 'DIFFERENTIAL' END;
    END IF;
    own_ms := CASE preferred WHEN 'FULL' THEN full_ms ELSE differential_ms END;
    other_ms := CASE preferred WHEN 'FULL' THEN differential_ms ELSE full_ms END;
    is_trial := credit_ms >= greatest(other_ms - own_ms, own_ms / 4)
                AND NOT (preferred = 'DIFFERENTIAL' AND full_ms > 10 * differential_ms);
END
$fn$;
