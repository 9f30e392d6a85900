-- The part of a full refresh that fills the program's own tables anew, in the same statement and so at the same
-- snapshot. INSERT reads from the DELETE, which orders the two where a unique index needs it.
CREATE FUNCTION pgtrickle._full_states(pgt_id bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
SELECT coalesce(string_agg(format($sql$,
  state_%1$s_gone AS (DELETE FROM %2$s RETURNING 1),
  state_%1$s_filled AS (
    INSERT INTO %2$s (%3$s)
    SELECT %4$s FROM (SELECT count(*) FROM state_%1$s_gone) g, %5$s n
    RETURNING 1)$sql$, k.number, k.state, c.names, c.read, k.view), '' ORDER BY k.number), '')
FROM pgtrickle._state_tables(_full_states.pgt_id) k
CROSS JOIN LATERAL (
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS names,
           string_agg(format('n.%I', a.attname), ', ' ORDER BY a.attnum) AS read
    FROM pg_attribute a WHERE a.attrelid = k.view AND a.attnum > 0 AND NOT a.attisdropped) c
$fn$;
