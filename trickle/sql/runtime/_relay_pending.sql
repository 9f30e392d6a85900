-- Those of these pipelines whose outbox may hold something that they have not read: after the given ends of their windows.
CREATE FUNCTION pgtrickle._relay_pending(names text[], outbox_tables text[], seen pg_snapshot[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    has_some boolean;
BEGIN
    FOR i IN 1 .. cardinality(names) LOOP
        -- Whoever reads an outbox that is gone has to be told of it too.
        IF to_regclass(format('pgtrickle.%I', outbox_tables[i])) IS NULL THEN
            RETURN NEXT names[i];
            CONTINUE;
        END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM pgtrickle.%I m WHERE m.xid >= pg_snapshot_xmin($1) '
                       'AND NOT pg_visible_in_snapshot(m.xid, $1))', outbox_tables[i])
        INTO has_some USING seen[i];
        IF has_some THEN
            RETURN NEXT names[i];
        END IF;
    END LOOP;
END
$fn$;
