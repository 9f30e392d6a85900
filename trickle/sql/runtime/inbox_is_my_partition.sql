-- Does an aggregate belong to worker `worker_id` (from 0) of `total_workers`? By FNV-1a of 64 bits over its UTF-8 bytes, so
-- that workers in any language agree. Computed in two halves: the product of 64 bits does not fit a bigint.
CREATE FUNCTION pgtrickle.inbox_is_my_partition(aggregate_id text, worker_id int, total_workers int) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    low   constant bigint := 4294967295;
    bytes bytea := convert_to(aggregate_id, 'UTF8');
    hi    bigint := 3421674724;  -- 14695981039346656037 is the beginning
    lo    bigint := 2216829733;
    part  bigint;
BEGIN
    IF total_workers <= 0 THEN
        RETURN true;
    END IF;
    FOR i IN 0 .. length(bytes) - 1 LOOP
        lo := lo # get_byte(bytes, i);
        -- times 2^40 + 435
        part := lo * 435;
        hi := (hi * 435 + (part >> 32) + (lo << 8)) & low;
        lo := part & low;
    END LOOP;
    RETURN (hi % total_workers * (4294967296 % total_workers) + lo) % total_workers = worker_id;
END
$fn$;
