-- Put the guard triggers on a stream table's storage, on each of its partitions as well: who writes there passes by the root.
CREATE FUNCTION pgtrickle._guard_storage(pgt_id bigint, storage regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    part regclass;
BEGIN
    FOR part IN
        SELECT m.member FROM pgtrickle._members(storage) m
        WHERE pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = m.member), 'USAGE') AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = m.member AND g.tgname = 'pgt_truncate_guard')
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER pgt_dml_guard BEFORE INSERT OR UPDATE OR DELETE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION pgtrickle._guard(%L)', part, pgt_id);
        EXECUTE format('CREATE OR REPLACE TRIGGER pgt_truncate_guard BEFORE TRUNCATE ON %s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION pgtrickle._guard(%L)', part, pgt_id);
    END LOOP;
END
$fn$;
