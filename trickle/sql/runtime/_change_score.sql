-- What a share of changed rows says: little change speaks for DIFFERENTIAL, much for FULL.
CREATE FUNCTION pgtrickle._change_score(ratio float8) RETURNS float8
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE WHEN ratio IS NULL THEN NULL WHEN ratio < 0.05 THEN 1 WHEN ratio < 0.15 THEN 0.5 WHEN ratio < 0.30 THEN -0.3
                WHEN ratio < 0.50 THEN -0.7 ELSE -1 END
$fn$;
