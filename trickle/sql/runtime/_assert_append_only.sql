-- Refuse append_only where it would mean nothing: nothing is inserted by itself, or a row that came is told from no other.
CREATE FUNCTION pgtrickle._assert_append_only(st pgtrickle.pgt_stream_tables) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF st.refresh_mode <> 'DIFFERENTIAL' OR st.has_keyless_source THEN
        RAISE EXCEPTION 'invalid argument: append_only needs refresh_mode "DIFFERENTIAL" and sources with a key'
            USING ERRCODE = '22023', HINT = CASE WHEN st.refresh_mode <> 'DIFFERENTIAL' THEN format('Here the mode is %s.', st.refresh_mode)
                                                 ELSE 'Give each source a primary key, or leave the option out.' END;
    END IF;
END
$fn$;
