-- Work out anew which IMMEDIATE stream tables read which source, and in which order they are brought up to date: each
-- after all those that it reads. Sources that have such readers get the triggers for it, others lose them. Where a
-- source gets another reader its writers are waited for: what they have written so far nobody would add to it.
CREATE FUNCTION pgtrickle._arrange_immediate() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    item   record;
    gained int[] := '{}';
BEGIN
    -- One at a time, and what the others have arranged is seen by the statements below.
    PERFORM pgtrickle._exclude_writers(0);
    FOR item IN
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
        )
        SELECT source_id, pgt_id, w.place, i.place AS before
        FROM wanted w FULL JOIN pgtrickle.pgt_immediate i USING (source_id, pgt_id)
        WHERE w.place IS DISTINCT FROM i.place
    LOOP
        IF item.place IS NULL THEN
            DELETE FROM pgtrickle.pgt_immediate i WHERE i.source_id = item.source_id AND i.pgt_id = item.pgt_id;
        ELSE
            INSERT INTO pgtrickle.pgt_immediate (source_id, pgt_id, place) VALUES (item.source_id, item.pgt_id, item.place)
            ON CONFLICT (source_id, pgt_id) DO UPDATE SET place = excluded.place;
        END IF;
        IF item.before IS NULL THEN
            gained := gained || item.source_id;
        END IF;
    END LOOP;

    -- For those who look by an old snapshot.
    UPDATE pgtrickle.pgt_change_tracking t SET source_name = t.source_name WHERE t.source_id = ANY (gained);
    FOR item IN
        SELECT t.source_id, t.source_relid, t.source_id = ANY (gained) AS has_gained,
               EXISTS (SELECT FROM pgtrickle.pgt_immediate i WHERE i.source_id = t.source_id) AS is_read
        FROM pgtrickle.pgt_change_tracking t JOIN pg_class c ON c.oid = t.source_relid ORDER BY t.source_relid
    LOOP
        IF item.has_gained THEN
            PERFORM pgtrickle._lock_source(item.source_relid);
        END IF;
        PERFORM pgtrickle._write_immediate_triggers(item.source_id, item.source_relid, item.is_read);
    END LOOP;
END
$fn$;
