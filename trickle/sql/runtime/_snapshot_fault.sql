-- Why the frontier of a snapshot cannot be trusted, or NULL when it can. That this database remembers taking it is the
-- proof that every transaction the frontier names belongs to its history: a copy by pg_dump, another cluster and a timeline
-- that branched off before have no such memory, or, after a restore, another epoch.
CREATE FUNCTION pgtrickle._snapshot_fault(taken pgtrickle.pgt_snapshots) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    st pgtrickle.pgt_stream_tables;
BEGIN
    SELECT s.* INTO st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = taken.pgt_id;
    RETURN CASE
        WHEN taken.token IS NULL THEN 'it was taken in another database, on another server or on another timeline'
        WHEN taken.epoch <> (SELECT i.epoch FROM pgtrickle.identity i) THEN 'it was taken before this database was restored or copied'
        WHEN taken.snapshot IS NULL THEN 'the stream table was waiting for a full refresh when it was taken'
        WHEN taken.basis IS DISTINCT FROM pgtrickle._snapshot_basis(st)
            THEN 'the query, its program or one of its sources has changed since'
        WHEN EXISTS (SELECT FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_change_tracking t USING (source_id)
                     WHERE d.pgt_id = taken.pgt_id AND t.pruned_below > least(pg_snapshot_xmin(taken.snapshot), taken.own_xid))
            THEN 'changes since then have been removed from the change buffers' END;
END
$fn$;
