-- Create the capture triggers of one member, or put back those that are missing or switched off.
-- Their names begin with a space: they sort, and so fire, before any other trigger of the table.
CREATE FUNCTION pgtrickle._write_capture_triggers(source_id int, relid oid, member oid, suffix text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    mode   text := (SELECT t.capture_mode FROM pgtrickle.pgt_change_tracking t
                    WHERE t.source_id = _write_capture_triggers.source_id);
    prefix text := format('pgtrickle_changes.capture_%s%s', source_id, suffix);
    -- Partitions get the row trigger as a clone of their parent's; plain inheritance clones nothing.
    is_partition boolean := (SELECT c.relispartition FROM pg_class c WHERE c.oid = member);
    want   record;
    have   pg_trigger;
BEGIN
    FOR want IN
        SELECT * FROM (VALUES
            ('insert',   'INSERT', 'REFERENCING NEW TABLE AS pgt_new FOR EACH STATEMENT', mode = 'statement', 'O'),
            ('update',   'UPDATE', 'REFERENCING OLD TABLE AS pgt_old NEW TABLE AS pgt_new FOR EACH STATEMENT',
                                                                                        mode = 'statement', 'O'),
            ('delete',   'DELETE', 'REFERENCING OLD TABLE AS pgt_old FOR EACH STATEMENT', mode = 'statement', 'O'),
            ('truncate', 'TRUNCATE', 'FOR EACH STATEMENT', true, 'A'),
            ('row', 'INSERT OR UPDATE OR DELETE', 'FOR EACH ROW', true, CASE mode WHEN 'row' THEN 'A' ELSE 'R' END)
        ) v(kind, event, clause, wanted, enabled)
    LOOP
        SELECT t.* INTO have FROM pg_trigger t WHERE t.tgrelid = member AND t.tgname = ' pgt_capture_' || want.kind;
        IF have.oid IS NOT NULL AND have.tgparentid = 0
           AND (NOT want.wanted OR have.tgfoid::regprocedure::text
                <> format('%s_%s()', CASE want.kind WHEN 'row' THEN format('pgtrickle_changes.capture_%s', source_id)
                                     ELSE prefix END, want.kind)) THEN
            EXECUTE format('DROP TRIGGER %I ON %s', have.tgname, member::regclass);
            have := NULL;
        END IF;
        CONTINUE WHEN NOT want.wanted;
        IF have.oid IS NULL AND NOT (want.kind = 'row' AND is_partition AND member <> relid) THEN
            EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s EXECUTE FUNCTION %s_%s()',
                           ' pgt_capture_' || want.kind, want.event, member::regclass, want.clause,
                           CASE want.kind WHEN 'row' THEN format('pgtrickle_changes.capture_%s', source_id)
                           ELSE prefix END, want.kind);
            SELECT t.* INTO have FROM pg_trigger t
            WHERE t.tgrelid = member AND t.tgname = ' pgt_capture_' || want.kind;
        END IF;
        IF have.oid IS NOT NULL AND have.tgenabled <> want.enabled THEN
            EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', member::regclass,
                           CASE want.enabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, have.tgname);
        END IF;
    END LOOP;
END
$fn$;
