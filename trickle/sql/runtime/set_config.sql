-- Settings for database owners who may not ALTER DATABASE … SET; NULL forgets. Returns the value in force.
-- Instances look at once.
CREATE FUNCTION pgtrickle.set_config(name text, value text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
#variable_conflict use_column
DECLARE
    bare text := lower(regexp_replace(set_config.name, '^pg_trickle\.', ''));
BEGIN
    IF bare IS NULL OR bare !~ '^[a-z][a-z0-9_]*$' THEN
        RAISE EXCEPTION 'invalid argument: % is not the name of a setting', quote_nullable(set_config.name)
            USING ERRCODE = '22023', HINT = 'Names are lower case words, with or without the prefix "pg_trickle.".';
    END IF;
    IF set_config.value IS NULL THEN
        DELETE FROM pgtrickle.pgt_settings s WHERE s.name = bare;
    ELSE
        INSERT INTO pgtrickle.pgt_settings AS s (name, value) VALUES (bare, set_config.value)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = now();
    END IF;
    PERFORM pgtrickle._ring();
    RETURN pgtrickle._setting(bare, NULL);
END
$fn$;
