-- The tables that the program of a stream table keeps for itself, and the view that says what each holds.
CREATE FUNCTION pgtrickle._state_tables(pgt_id bigint) RETURNS TABLE (number int, state regclass, view regclass)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
SELECT substring(c.relname FROM '[0-9]+$')::int, c.oid::regclass,
       to_regclass(format('pgtrickle_programs.state_query_%s_%s', _state_tables.pgt_id, substring(c.relname FROM '[0-9]+$')))
FROM pg_class c
WHERE c.relnamespace = 'pgtrickle_programs'::regnamespace AND c.relkind = 'r'
  AND c.relname >= format('state_%s_', _state_tables.pgt_id)::name
  AND c.relname < format('state_%s`', _state_tables.pgt_id)::name  -- by index, then exactly
  AND c.relname ~ format('^state_%s_[0-9]+$', _state_tables.pgt_id)
ORDER BY 1
$fn$;
