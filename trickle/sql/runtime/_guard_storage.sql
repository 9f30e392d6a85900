-- Put the guard triggers on a stream table's storage.
CREATE FUNCTION pgtrickle._guard_storage(pgt_id bigint, storage regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER pgt_dml_guard BEFORE INSERT OR UPDATE OR DELETE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION pgtrickle._guard(%L)', storage, pgt_id);
    EXECUTE format('CREATE OR REPLACE TRIGGER pgt_truncate_guard BEFORE TRUNCATE ON %s '
                   'FOR EACH STATEMENT EXECUTE FUNCTION pgtrickle._guard(%L)', storage, pgt_id);
END
$fn$;
