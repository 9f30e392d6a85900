-- Refuse a bound query that no stream table can be, and say how far its answer depends on more than its sources.
CREATE FUNCTION pgtrickle._check_query(
    view_oid oid, stream_table text, OUT volatility "char", OUT reason text,
    OUT functions text[], OUT function_oids oid[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    trees  text;
    tree   text;
    top    text[];
    bad    text;
    source record;
BEGIN
    SELECT string_agg(r.tree, ' '), max(r.tree) FILTER (WHERE r.view = view_oid) INTO trees, tree
    FROM pgtrickle._query_rules(view_oid) r;

    IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = view_oid AND a.attnum > 0) THEN
        RAISE EXCEPTION 'defining query of % returns no column', stream_table
            USING ERRCODE = '42601', HINT = 'Select at least one column.';
    END IF;
    SELECT a.attname INTO bad FROM pg_attribute a
    WHERE a.attrelid = view_oid AND a.attnum > 0 AND a.attname LIKE '\_\_pgt\_%' ORDER BY a.attnum LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'defining query of % has an output column named "%"', stream_table, bad
            USING ERRCODE = '42939', HINT = 'Names that begin with __pgt_ are reserved: rename the column with AS, or list the columns you '
                         'want instead of * where a stream table is read.';
    END IF;
    SELECT m[1]::oid::regclass::text INTO bad
    FROM regexp_matches(trees, ':relid (\d+)', 'g') m WHERE m[1]::oid BETWEEN 1 AND 16383 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'defining query of % reads the system catalog %', stream_table, bad
            USING ERRCODE = '0A000', HINT = 'Changes of system catalogs cannot be captured; read a copy in a table.';
    END IF;
    FOR source IN
        SELECT c.oid, c.relpersistence, n.nspname, c.relname
        FROM pgtrickle._query_sources(view_oid) s
        JOIN pg_class c ON c.oid = s.relid JOIN pg_namespace n ON n.oid = c.relnamespace
    LOOP
        IF source.relpersistence = 't' THEN
            RAISE EXCEPTION 'defining query of % reads the temporary table %', stream_table, source.relname
                USING ERRCODE = '0A000', HINT = 'A stream table outlives the session: read permanent tables.';
        ELSIF source.nspname IN ('pgtrickle_changes', 'pgtrickle_programs')
              OR source.nspname = 'pgtrickle'
                 AND (source.relname LIKE 'pgt\_%' OR source.relname IN ('identity', 'alembic_version')) THEN
            RAISE EXCEPTION 'defining query of % reads %, a table of the catalog', stream_table, source.oid::regclass
                USING ERRCODE = '0A000', HINT = 'Read the views of schema pgtrickle in an ordinary query instead.';
        END IF;
    END LOOP;
    IF trees ~ ':hasForUpdate true' THEN
        RAISE EXCEPTION 'defining query of % locks rows with FOR UPDATE or FOR SHARE', stream_table
            USING ERRCODE = '0A000', HINT = 'Remove the locking clause.';
    END IF;
    -- ctid, xmin and their like are not values of a row; tableoid (-6) is.
    IF trees ~ '\{VAR :varno \S+ :varattno -[1-57] ' THEN
        RAISE EXCEPTION 'defining query of % reads a system column', stream_table
            USING ERRCODE = '0A000', HINT = 'Only tableoid may be used of ctid, xmin, xmax, cmin, cmax and tableoid.';
    END IF;
    -- These three fields stand together at the end of each query block; the wrapper's own is the last of all, the
    -- user's the one before.
    SELECT array_agg(m[1] || m[2] ORDER BY n) INTO top
    FROM regexp_matches(tree, ':sortClause (<>|\()(?:[^()]*\))? (:limitOffset (?:\{|<> :limitCount (?:<>|\{)))', 'g')
         WITH ORDINALITY r(m, n);
    IF top[cardinality(top) - 1] ~ '^<>:limitOffset .*\{$' THEN
        RAISE EXCEPTION 'defining query of % has LIMIT or OFFSET without ORDER BY', stream_table
            USING ERRCODE = '0A000', HINT = 'Add ORDER BY, so that the rows kept are always the same ones.';
    END IF;

    SELECT coalesce(max(CASE f.volatility WHEN 'v' THEN 'v' WHEN 's' THEN 's' ELSE 'i' END), 'i'),
           coalesce(array_agg(DISTINCT f.label ORDER BY f.label) FILTER (WHERE f.func >= 16384), '{}'),
           coalesce(array_agg(DISTINCT f.func ORDER BY f.func) FILTER (WHERE f.func >= 16384), '{}')
    INTO volatility, functions, function_oids
    FROM pgtrickle._query_functions(view_oid) f;
    IF volatility <> 'i' THEN
        SELECT string_agg(DISTINCT f.label, ', ' ORDER BY f.label) INTO reason
        FROM pgtrickle._query_functions(view_oid) f WHERE f.volatility = _check_query.volatility;
        reason := CASE volatility WHEN 'v' THEN 'volatile: ' ELSE 'not immutable: ' END || reason;
    END IF;
END
$fn$;
