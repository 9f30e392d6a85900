-- Is there anything this stream table has not consumed? True also when that cannot be known: no frontier yet,
-- a source that is polled, a query that reads the clock. An IMMEDIATE one consumes changes before they are committed.
CREATE FUNCTION pgtrickle._has_changes(pgt_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    f pgtrickle.pgt_frontiers;
BEGIN
    SELECT t.* INTO f FROM pgtrickle.pgt_frontiers t WHERE t.pgt_id = _has_changes.pgt_id;
    IF f.snapshot IS NOT NULL AND EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s
                                          WHERE s.pgt_id = _has_changes.pgt_id AND s.refresh_mode = 'IMMEDIATE') THEN
        RETURN false;
    END IF;
    IF f.snapshot IS NULL
       OR EXISTS (SELECT FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = _has_changes.pgt_id AND d.cdc_mode = 'POLL')
       OR EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s
                  WHERE s.pgt_id = _has_changes.pgt_id AND s.query_volatility <> 'i' AND s.program_state <> 'compiled')
    THEN
        RETURN true;
    END IF;
    RETURN pgtrickle._has_captured(f);
END
$fn$;
