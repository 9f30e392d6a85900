-- How long messages of an outbox are kept: as asked for, else outbox_retention_hours (24).
CREATE FUNCTION pgtrickle._retention_hours(asked int) RETURNS int
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    hours int := coalesce(asked, pgtrickle._setting_number('outbox_retention_hours', '24')::int);
BEGIN
    IF hours < 1 OR hours > 87600 THEN
        RAISE EXCEPTION 'invalid argument: retention_hours is %, and must be between 1 and 87600', hours USING ERRCODE = '22023';
    END IF;
    RETURN hours;
END
$fn$;
