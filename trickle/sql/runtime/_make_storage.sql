-- Make an empty table with the columns of another relation, parted as partition_by says: like `former`, where that is parted
-- by the same; else by hash into all its partitions, by range or list into one for the rows that no other takes, and more
-- are the owner's to make. Partitions are named after `base`.
CREATE FUNCTION pgtrickle._make_storage(
    storage text, source regclass, partition_by text, base text, former regclass DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    wanted record;
    bounds text[] := '{}';
    suffix text;
BEGIN
    IF partition_by IS NULL THEN
        EXECUTE format('CREATE TABLE %s AS TABLE %s WITH NO DATA', storage, source);
        RETURN;
    END IF;
    SELECT * INTO wanted FROM pgtrickle._partition_clause(partition_by, source);
    EXECUTE format('CREATE TABLE %s (LIKE %s) %s', storage, source, wanted.clause);
    IF pg_get_partkeydef(former) = pg_get_partkeydef(storage::regclass) THEN
        SELECT coalesce(array_agg(pg_get_expr(c.relpartbound, c.oid) ORDER BY c.oid), '{}') INTO bounds
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = former;
    END IF;
    IF bounds <> '{}' AND wanted.pieces IN (0, cardinality(bounds)) THEN
        NULL;  -- as they were
    ELSIF wanted.pieces = 0 THEN
        bounds := '{DEFAULT}';
    ELSE
        SELECT array_agg(format('FOR VALUES WITH (modulus %s, remainder %s)', wanted.pieces, p) ORDER BY p) INTO bounds
        FROM generate_series(0, wanted.pieces - 1) p;
    END IF;
    FOR number IN 1..cardinality(bounds) LOOP
        suffix := CASE bounds[number] WHEN 'DEFAULT' THEN '_default' ELSE '_p' || number - 1 END;
        EXECUTE format('CREATE TABLE %I.%I PARTITION OF %s %s', (parse_ident(storage))[1], left(base, 55) || suffix,
                       storage, bounds[number]);
    END LOOP;
END
$fn$;
