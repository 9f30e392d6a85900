-- What a full refresh takes when the sources have grown from one size to another: in proportion, beside a little that
-- does not depend on them.
CREATE FUNCTION pgtrickle._predicted_full_ms(ms float8, bytes_then bigint, bytes_now bigint) RETURNS float8
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT ms * (coalesce(bytes_now, 0) + 65536) / (coalesce(bytes_then, 0) + 65536)
$fn$;
