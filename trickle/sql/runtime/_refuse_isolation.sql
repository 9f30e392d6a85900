-- A transaction with one snapshot for all its statements does not see what others have committed since, so it would
-- miss the rows that belong together with its own. A unit of our own may be tried again with a newer snapshot.
CREATE FUNCTION pgtrickle._refuse_isolation(pgt_id bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st record;
BEGIN
    SELECT s.pgt_schema, s.pgt_name INTO STRICT st FROM pgtrickle.pgt_stream_tables s
    WHERE s.pgt_id = _refuse_isolation.pgt_id;
    RAISE EXCEPTION 'cannot write a source of the IMMEDIATE stream table %.% in a % transaction',
        st.pgt_schema, st.pgt_name, upper(current_setting('transaction_isolation'))
        USING ERRCODE = CASE WHEN current_setting('pg_trickle.unit', true) = 'on' THEN '40001' ELSE '25001' END,
              DETAIL = 'Its snapshot may be older than changes that others have committed to what the stream table reads.',
              HINT = 'Write in a READ COMMITTED transaction, or alter the stream table to refresh_mode => ''DIFFERENTIAL''.';
END
$fn$;
