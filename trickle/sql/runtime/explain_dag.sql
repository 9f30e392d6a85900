-- What reads what, as a drawing in the words of Mermaid or of Graphviz (dot). Stream tables that are stopped are red, those
-- with a blown fuse orange.
CREATE FUNCTION pgtrickle.explain_dag(format text DEFAULT 'mermaid') RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    drawn text;
BEGIN
    IF lower(coalesce(explain_dag.format, 'mermaid')) NOT IN ('mermaid', 'dot') THEN
        RAISE EXCEPTION 'invalid argument: format % is neither mermaid nor dot', quote_literal(explain_dag.format)
            USING ERRCODE = '22023';
    END IF;
    WITH node AS (
        SELECT pg_catalog.format('t%s', s.pgt_id) AS id, s.pgt_schema || '.' || s.pgt_name AS label, s.pgt_relid AS relid,
               concat(s.refresh_mode, ' ', CASE s.refresh_mode WHEN 'IMMEDIATE' THEN NULL
                                                ELSE coalesce(s.schedule, 'calculated') END) AS about,
               CASE WHEN s.fuse_state = 'blown' THEN 'blown' WHEN s.status IN ('SUSPENDED', 'ERROR') THEN 'stopped'
                    ELSE 'streamtable' END AS class
        FROM pgtrickle.pgt_stream_tables s
        UNION ALL
        SELECT DISTINCT ON (d.source_relid) pg_catalog.format('s%s', d.source_relid), d.source_schema || '.' || d.source_name,
               d.source_relid, NULL, 'source'
        FROM pgtrickle.pgt_dependencies d
        WHERE d.source_type NOT IN ('VIEW', 'STREAM_TABLE')
    ), edge AS (
        SELECT u.id AS upstream, pg_catalog.format('t%s', d.pgt_id) AS downstream
        FROM pgtrickle.pgt_dependencies d JOIN node u ON u.relid = d.source_relid
        WHERE d.source_type <> 'VIEW'
    ), line(place, ordering, mermaid, dot) AS (
        SELECT 0, '', 'graph LR', 'digraph stream_tables {' || E'\n' || '    rankdir=LR; node [shape=box, style=filled];'
        UNION ALL
        SELECT 1, n.label,
               pg_catalog.format('    %s["%s"]:::%s', n.id, concat_ws('<br/>', replace(n.label, '"', '#quot;'), n.about), n.class),
               pg_catalog.format('    %s [label="%s", fillcolor=%s];', n.id,
                                 replace(replace(n.label, '\', '\\'), '"', '\"') || coalesce('\n' || n.about, ''),
                                 CASE n.class WHEN 'source' THEN 'white' WHEN 'blown' THEN 'orange'
                                              WHEN 'stopped' THEN 'indianred1' ELSE 'lightblue' END)
        FROM node n
        UNION ALL
        SELECT 2, e.upstream || ' ' || e.downstream, pg_catalog.format('    %s --> %s', e.upstream, e.downstream),
               pg_catalog.format('    %s -> %s;', e.upstream, e.downstream)
        FROM edge e
        UNION ALL
        SELECT 3, c.class, pg_catalog.format('    classDef %s fill:%s', c.class, c.colour), NULL
        FROM (VALUES ('streamtable', '#9cf'), ('stopped', '#f77'), ('blown', '#fa3'), ('source', '#fff')) c(class, colour)
        UNION ALL
        SELECT 4, '', NULL, '}'
    )
    SELECT string_agg(CASE lower(coalesce(explain_dag.format, 'mermaid')) WHEN 'dot' THEN l.dot ELSE l.mermaid END, E'\n'
                      ORDER BY l.place, l.ordering)
    INTO drawn FROM line l;
    RETURN drawn;
END
$fn$;
