-- Before an IMMEDIATE stream table is dropped, or a stream table becomes IMMEDIATE or is it no more: lock what its writers
-- lock, in their order, first the sources whose triggers come or go, then the stream table.
CREATE FUNCTION pgtrickle._lock_immediate(pgt_id bigint, becomes boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    source record;
BEGIN
    FOR source IN
        SELECT d.source_relid FROM pgtrickle.pgt_dependencies d JOIN pg_class c ON c.oid = d.source_relid
        WHERE d.pgt_id = _lock_immediate.pgt_id AND d.cdc_mode = 'TRIGGER'
          AND (becomes OR NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate i
                                      WHERE i.source_id = d.source_id AND i.pgt_id <> _lock_immediate.pgt_id))
        ORDER BY d.source_relid
    LOOP
        PERFORM pgtrickle._lock_source(source.source_relid);
    END LOOP;
    PERFORM pgtrickle._exclude_writers(_lock_immediate.pgt_id);
END
$fn$;
