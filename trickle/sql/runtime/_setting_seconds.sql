-- A setting that is a time, in seconds: a plain number counts seconds, or it carries a unit, such as '500ms' or '2min'.
CREATE FUNCTION pgtrickle._setting_seconds(name text, fallback text) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET "IntervalStyle" = 'postgres' AS $fn$
DECLARE
    value text := pgtrickle._setting(name, fallback);
BEGIN
    RETURN extract(epoch FROM value::interval)::float8;
EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow THEN
    RAISE EXCEPTION 'the setting % is not a time: %', name, quote_literal(value)
        USING ERRCODE = '22023', HINT = 'Give seconds, or a number with ms, s, min, h or d.';
END
$fn$;
