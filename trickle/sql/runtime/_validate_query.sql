-- The query is bound as a view, looked at, and forgotten: raising an error takes the view away and leaves the variables.
CREATE FUNCTION pgtrickle._validate_query(query text, creator_path text)
RETURNS TABLE (check_name text, result text, severity text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    view_oid oid;
    checked  record;
    found    jsonb := '[]';
    failure  text;
BEGIN
    BEGIN
        view_oid := pgtrickle._bind_query(format('validate_%s', pg_backend_pid()), 'the query', query, creator_path);
        SELECT * INTO checked FROM pgtrickle._check_query(view_oid, 'the query');
        SELECT coalesce(jsonb_agg(jsonb_build_array(s.check_name, s.result, s.severity) ORDER BY s.place, s.result), '[]')
        INTO found
        FROM pgtrickle._validate_sources(view_oid) s;
        RAISE EXCEPTION 'forget the view' USING ERRCODE = 'PGT01';
    EXCEPTION
        WHEN SQLSTATE 'PGT01' THEN
            NULL;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS failure = MESSAGE_TEXT;
            failure := regexp_replace(failure, '^defining query of ', '');
    END;
    IF failure IS NOT NULL THEN
        RETURN QUERY VALUES ('resolved_refresh_mode', NULL, 'ERROR'), ('query', failure, 'ERROR');
        RETURN;
    END IF;
    RETURN QUERY SELECT 'resolved_refresh_mode',
        CASE WHEN checked.volatility = 'v' THEN 'FULL' ELSE 'DIFFERENTIAL' END,
        CASE WHEN checked.volatility = 'v' THEN 'WARNING' ELSE 'INFO' END;
    RETURN QUERY SELECT 'volatility', coalesce(checked.reason, 'immutable'),
        CASE WHEN checked.volatility = 'i' THEN 'INFO' ELSE 'WARNING' END;
    RETURN QUERY SELECT f.value ->> 0, f.value ->> 1, f.value ->> 2 FROM jsonb_array_elements(found) f;
END
$fn$;
