-- A snapshot by its name: the table, what its comment tells, and what this database remembers of taking it, if it does.
CREATE FUNCTION pgtrickle._find_snapshot(source text, OUT relid oid, OUT about jsonb, OUT taken pgtrickle.pgt_snapshots)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    wanted text[] := pgtrickle._split_name(source, 'public');
    said   text;
BEGIN
    relid := to_regclass(format('%I.%I', wanted[1], wanted[2]));
    IF relid IS NULL THEN
        RAISE EXCEPTION 'snapshot not found: %', source
            USING ERRCODE = '42P01', HINT = 'SELECT * FROM pgtrickle.list_snapshots() shows those that exist.';
    END IF;
    said := obj_description(relid, 'pg_class');
    IF said IS NULL OR said NOT LIKE '{%"trickle_snapshot"%}' THEN
        RAISE EXCEPTION 'table % is not a snapshot: its comment does not describe one', source
            USING ERRCODE = '42P17', HINT = 'pg_dump carries the comment along unless --no-comments is given.';
    END IF;
    about := said::jsonb;
    IF about ->> 'trickle_snapshot' <> '1' THEN
        RAISE EXCEPTION 'snapshot schema version mismatch: % is of version %, this one reads version 1', source, about ->> 'trickle_snapshot'
            USING ERRCODE = '42P17', HINT = 'Restore it with the version of Trickle that took it.';
    END IF;
    SELECT s.* INTO taken FROM pgtrickle.pgt_snapshots s WHERE s.token = (about ->> 'token')::uuid;
END
$fn$;
