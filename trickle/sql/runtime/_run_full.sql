-- Run the program that refreshes a stream table in full, with the memory that it may use.
CREATE FUNCTION pgtrickle._run_full(pgt_id bigint) RETURNS pgtrickle.refresh_outcome
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    outcome pgtrickle.refresh_outcome;
    before  text := pgtrickle._grant_memory();
BEGIN
    EXECUTE format('SELECT * FROM pgtrickle_programs.full_%s()', _run_full.pgt_id) INTO outcome;
    PERFORM set_config('work_mem', before, true);
    RETURN outcome;
END
$fn$;
