-- For every stream table that may be refreshed, or for these of them: is there anything to do for it? In one call.
-- Without `captured` only what no writer tells is looked at: whether it, its sources or their functions are altered.
-- A source that looks different counts: lost capture must be met by a refresh, which repairs it.
-- One array either way: a plan that has to do without the arguments would read everything for the sake of the NULL.
CREATE FUNCTION pgtrickle.pending(pgt_ids bigint[] DEFAULT NULL, captured boolean DEFAULT true)
RETURNS TABLE (pgt_id bigint, has_changes boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH asked AS MATERIALIZED (
        SELECT coalesce(pgt_ids, ARRAY(SELECT t.pgt_id FROM pgtrickle.pgt_stream_tables t)) AS pgt_ids
    ), source AS MATERIALIZED (
        SELECT s.source_relid, pgtrickle.source_stamp(s.source_relid) AS stamp
        FROM (SELECT DISTINCT d.source_relid FROM pgtrickle.pgt_dependencies d
              WHERE d.pgt_id = ANY ((SELECT a.pgt_ids FROM asked a)::bigint[])) s
    )
    SELECT s.pgt_id,
           s.needs_reinit
           OR EXISTS (SELECT FROM pgtrickle.pgt_dependencies d JOIN source USING (source_relid)
                      WHERE d.pgt_id = s.pgt_id AND d.stamp IS DISTINCT FROM source.stamp)
           OR s.function_oids <> '{}' AND s.function_hashes IS DISTINCT FROM pgtrickle._functions_stamp(s.function_oids)
           OR s.refresh_mode = 'IMMEDIATE' AND pgtrickle._immediate_fault(s.pgt_id)
           OR captured AND pgtrickle._has_changes(s.pgt_id)
    FROM pgtrickle.pgt_stream_tables s
    WHERE s.status IN ('INITIALIZING', 'ACTIVE') AND s.pgt_id = ANY ((SELECT a.pgt_ids FROM asked a)::bigint[])
    ORDER BY s.pgt_id
$fn$;
