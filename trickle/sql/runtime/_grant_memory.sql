-- Let a refresh of many changes, or a full one, use more memory than a statement of the session may: merge_work_mem_mb,
-- never more than delta_work_mem_cap_mb. For this transaction; what it was before, to be put back.
CREATE FUNCTION pgtrickle._grant_memory() RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    before  text := current_setting('work_mem');
    granted int  := pgtrickle._setting_number('merge_work_mem_mb', '64')::int;
    cap     int  := pgtrickle._setting_number('delta_work_mem_cap_mb', '0')::int;
BEGIN
    IF cap > 0 THEN
        granted := least(granted, cap);
    END IF;
    IF pg_size_bytes(CASE WHEN before ~ '^[0-9]+$' THEN before || 'kB' ELSE before END) < granted * 1048576::bigint THEN
        PERFORM set_config('work_mem', granted || 'MB', true);
    END IF;
    RETURN before;
END
$fn$;
