-- A pipeline by its name, for the rest of the transaction ours alone.
CREATE FUNCTION pgtrickle._find_pipeline(name text) RETURNS pgtrickle.pgt_relay_pipelines
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    pipeline pgtrickle.pgt_relay_pipelines;
BEGIN
    SELECT p.* INTO pipeline FROM pgtrickle.pgt_relay_pipelines p WHERE p.pipeline_name = name FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'relay pipeline not found: %', name
            USING ERRCODE = '42704', HINT = 'pgtrickle.list_relay_configs() shows them all.';
    END IF;
    RETURN pipeline;
END
$fn$;
