-- Work out anew which IMMEDIATE stream tables read which source, and in which order they are brought up to date: each
-- after all those that it reads. Sources that have such readers get the triggers for it, others lose them.
CREATE FUNCTION pgtrickle._arrange_immediate() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    source record;
BEGIN
    -- One at a time, and what the others have arranged is seen by the statements below.
    PERFORM pgtrickle._exclude_writers(0);
    WITH RECURSIVE reached(pgt_id, relid, place) AS (
        SELECT s.pgt_id, s.pgt_relid, 1 FROM pgtrickle.pgt_stream_tables s WHERE s.refresh_mode = 'IMMEDIATE'
        UNION
        SELECT s.pgt_id, s.pgt_relid, r.place + 1
        FROM reached r
        JOIN pgtrickle.pgt_dependencies d ON d.source_relid = r.relid
        JOIN pgtrickle.pgt_stream_tables s ON s.pgt_id = d.pgt_id AND s.refresh_mode = 'IMMEDIATE'
    ), wanted AS (
        SELECT d.source_id, r.pgt_id, max(r.place) AS place
        FROM reached r JOIN pgtrickle.pgt_dependencies d ON d.pgt_id = r.pgt_id AND d.source_id IS NOT NULL
        GROUP BY d.source_id, r.pgt_id
    ), gone AS (
        DELETE FROM pgtrickle.pgt_immediate i
        WHERE NOT EXISTS (SELECT FROM wanted w WHERE w.source_id = i.source_id AND w.pgt_id = i.pgt_id)
    )
    INSERT INTO pgtrickle.pgt_immediate AS i (source_id, pgt_id, place)
    SELECT w.source_id, w.pgt_id, w.place FROM wanted w
    ON CONFLICT (source_id, pgt_id) DO UPDATE SET place = excluded.place WHERE i.place <> excluded.place;

    FOR source IN
        SELECT t.source_id, t.source_relid,
               EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.source_id = t.source_id) AS is_read
        FROM pgtrickle.pgt_change_tracking t JOIN pg_class c ON c.oid = t.source_relid ORDER BY t.source_relid
    LOOP
        PERFORM pgtrickle._write_immediate_triggers(source.source_id, source.source_relid, source.is_read);
    END LOOP;
END
$fn$;
