-- Foreign tables and materialized views fire no triggers: a copy of the source stands in for it, a captured table like any
-- other, and polling makes the copy follow. Returns the copy's number among the sources. One copy serves all stream tables
-- that read the source, as long as the source has all its columns; the one that this stream table reads already comes first.
CREATE FUNCTION pgtrickle._ensure_polled(pgt_id bigint, relid oid, attnums smallint[]) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    copy_id int;
    source  pg_class;
    copied  regclass;
BEGIN
    FOR attempt IN 1..2 LOOP
        SELECT t.source_id INTO copy_id
        FROM pgtrickle.pgt_change_tracking t
        WHERE t.polled_relid = _ensure_polled.relid
          AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.source_relid)
          AND NOT EXISTS (
              (SELECT a.attname, a.atttypid, a.atttypmod, a.attcollation FROM pg_attribute a
               WHERE a.attrelid = t.source_relid AND a.attnum > 0 AND NOT a.attisdropped
               UNION ALL
               SELECT a.attname, a.atttypid, a.atttypmod, a.attcollation FROM pg_attribute a
               WHERE a.attrelid = _ensure_polled.relid AND a.attnum = ANY (_ensure_polled.attnums)
                 AND NOT EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = t.source_relid AND b.attname = a.attname))
              EXCEPT
              SELECT a.attname, a.atttypid, a.atttypmod, a.attcollation FROM pg_attribute a
              WHERE a.attrelid = _ensure_polled.relid AND a.attnum > 0 AND NOT a.attisdropped
                AND EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = t.source_relid AND b.attname = a.attname))
        ORDER BY EXISTS (SELECT FROM pgtrickle.pgt_dependencies d
                         WHERE d.pgt_id = _ensure_polled.pgt_id AND d.source_id = t.source_id) DESC, t.source_id DESC
        LIMIT 1 FOR KEY SHARE OF t;
        IF FOUND THEN
            RETURN copy_id;
        END IF;
        -- Two creators would make two copies, and each poll one: the second waits, and looks again.
        PERFORM pg_advisory_xact_lock(1953655658, (_ensure_polled.relid::bigint & 2147483647)::int);
    END LOOP;

    SELECT c.* INTO STRICT source FROM pg_class c WHERE c.oid = _ensure_polled.relid;
    EXECUTE format('CREATE TABLE pgtrickle_changes.polled_new_%s AS TABLE %s WITH NO DATA', _ensure_polled.relid,
                   _ensure_polled.relid::regclass);
    copied := format('pgtrickle_changes.polled_new_%s', _ensure_polled.relid)::regclass;
    copy_id := pgtrickle._ensure_capture(copied, ARRAY(SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = copied AND a.attnum > 0));
    EXECUTE format('ALTER TABLE %s RENAME TO polled_%s', copied, copy_id);
    PERFORM pgtrickle._adopt('TABLE', copied::text);
    UPDATE pgtrickle.pgt_change_tracking t
    SET polled_relid = _ensure_polled.relid, source_schema = source.relnamespace::regnamespace::text,
        source_name = source.relname
    WHERE t.source_id = copy_id;
    RETURN copy_id;
END
$fn$;
