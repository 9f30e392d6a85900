-- What has changed about the sources whose stamp differs, in words; whether their capture has to be repaired, and
-- whether the program was compiled from what is no longer so.
CREATE FUNCTION pgtrickle._changed_sources(
    pgt_id bigint, OUT reasons text[], OUT uncaptured boolean, OUT redefined boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    dep         record;
    different   text;
    compiled_in boolean;
BEGIN
    reasons := '{}';
    uncaptured := false;
    redefined := false;
    FOR dep IN
        SELECT d.*, pgtrickle._source_facts(d.source_relid) AS facts,
               CASE WHEN d.cdc_mode = 'TRIGGER' THEN pgtrickle._capture_fault(d.source_relid, d.source_id) END AS fault
        FROM pgtrickle.pgt_dependencies d
        WHERE d.pgt_id = _changed_sources.pgt_id AND d.stamp IS DISTINCT FROM pgtrickle.source_stamp(d.source_relid)
    LOOP
        -- Triggers switched off and on again look healthy now, and their rows are lost: the stamp alone tells.
        IF dep.fault IS NOT NULL THEN
            uncaptured := true;
            reasons := reasons || dep.fault;
        ELSIF dep.cdc_mode = 'TRIGGER' AND pgtrickle._trigger_stamp(dep.source_relid) IS DISTINCT FROM dep.column_snapshot ->> 'triggers' THEN
            reasons := reasons || format('capture triggers of %s were changed', dep.source_relid::regclass);
        END IF;
        -- A column that was added since is read by nobody: the query was bound before it came.
        SELECT string_agg(k.key, ', ' ORDER BY k.key), coalesce(bool_or(k.key IN ('columns', 'definition', 'unique')), false)
        INTO different, compiled_in
        FROM jsonb_each(dep.facts) k
        WHERE k.key <> 'triggers' AND k.value IS DISTINCT FROM dep.column_snapshot -> k.key
          AND NOT (k.key = 'columns' AND k.value @> (dep.column_snapshot -> k.key));
        redefined := redefined OR compiled_in;
        IF different IS NOT NULL THEN
            reasons := reasons || format('%s of %s changed', different, dep.source_relid::regclass);
        END IF;
    END LOOP;
END
$fn$;
