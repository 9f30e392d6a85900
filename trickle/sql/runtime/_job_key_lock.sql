-- Both numbers of the advisory lock under which it is decided whose turn it is within one ordering key.
CREATE FUNCTION pgtrickle._job_key_lock(queue text, key text, OUT class int, OUT number int)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT 1885828975, hashtext(length(queue) || queue || key)
$fn$;
