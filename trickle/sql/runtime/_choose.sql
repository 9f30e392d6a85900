-- An argument that must be one of a few words, in the spelling of the catalog; NULL stays NULL.
CREATE FUNCTION pgtrickle._choose(argument text, value text, allowed text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    word text;
BEGIN
    FOREACH word IN ARRAY allowed LOOP
        IF lower(value) = lower(word) THEN
            RETURN word;
        END IF;
    END LOOP;
    IF value IS NULL THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'invalid argument: % is "%"', argument, value
        USING ERRCODE = '22023', HINT = format('Use one of %s.', array_to_string(allowed, ', '));
END
$fn$;
