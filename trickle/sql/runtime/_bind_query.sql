-- Let PostgreSQL parse and bind a defining query, as a view in schema pgtrickle_programs under the creator's
-- search path, and return that view. A cursor holds one statement only, so opening the query as a cursor, wrapped
-- and then bare, proves before anything is created that the text is one complete SELECT, WITH or VALUES.
CREATE FUNCTION pgtrickle._bind_query(view_name text, stream_table text, query text, creator_path text) RETURNS oid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    body    text := rtrim(query, E' \t\r\n;');
    wrapped text := format(E'SELECT * FROM (\n%s\n) __pgt_q', body);
    probe   refcursor;
    code    text;
    said    text;
    detail  text;
    hint    text;
    before  text := current_setting('client_min_messages');
BEGIN
    IF body IS NULL OR body = '' THEN
        RAISE EXCEPTION 'query parse error: the defining query of % is empty', stream_table
            USING ERRCODE = '42601', HINT = 'Pass one SELECT, WITH or VALUES statement.';
    END IF;
    IF strpos(body, chr(92)) > 0 AND current_setting('standard_conforming_strings') = 'off' THEN
        RAISE EXCEPTION 'defining query of %: a backslash means different things in different sessions', stream_table
            USING ERRCODE = '0A000', DETAIL = 'standard_conforming_strings is off in this session.',
                  HINT = 'SET standard_conforming_strings = on, and write E''…'' where a backslash is an escape.';
    END IF;
    PERFORM set_config('search_path', creator_path, true);
    BEGIN
        OPEN probe FOR EXECUTE wrapped;
        CLOSE probe;
        OPEN probe FOR EXECUTE body;
        CLOSE probe;
        PERFORM set_config('client_min_messages', 'warning', true);
        EXECUTE format('CREATE OR REPLACE VIEW pgtrickle_programs.%I AS %s', view_name, wrapped);
        PERFORM set_config('client_min_messages', before, true);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                                hint = PG_EXCEPTION_HINT;
        PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
        IF code = '42P11' THEN
            code := '42601';
            said := 'it must be one SELECT, WITH or VALUES statement';
            hint := 'Pass the query alone, without other commands before or after it.';
        ELSIF code IN ('42P16', '0A000') AND said LIKE '%temporary%' THEN
            code := '0A000';
            said := 'it reads a temporary table';
            hint := 'A stream table outlives the session: read permanent tables.';
        ELSIF code = '42P16' AND said LIKE '%pseudo-type%' THEN
            hint := 'Give every output column a type that a table can hold.';
        ELSIF code = '42701' THEN
            hint := 'Give each output column a name of its own with AS.';
        ELSIF code = '42P01' THEN
            hint := coalesce(nullif(hint, ''), format('Check the name and the search_path, which is %s.', creator_path));
        END IF;
        RAISE EXCEPTION 'defining query of %: %', stream_table, said
            USING ERRCODE = code, DETAIL = coalesce(nullif(detail, ''), 'The query is: ' || query),
                  HINT = coalesce(nullif(hint, ''), 'Nothing was created.');
    END;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    RETURN format('pgtrickle_programs.%I', view_name)::regclass::oid;
END
$fn$;
