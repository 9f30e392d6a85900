-- How large the sources of a stream table are: bytes as they are now, rows as PostgreSQL last counted them.
CREATE FUNCTION pgtrickle._source_size(pgt_id bigint, OUT bytes bigint, OUT row_count float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT coalesce(sum(s.bytes), 0)::bigint, greatest(sum(s.row_count), sum(s.bytes) / 500.0, 1)
    FROM pgtrickle.pgt_dependencies d
    LEFT JOIN pgtrickle.pgt_change_tracking t ON t.source_id = d.source_id
    JOIN pg_class c ON c.oid = coalesce(t.source_relid, d.source_relid) AND c.relkind IN ('r', 'p')
    CROSS JOIN LATERAL (
        SELECT pg_relation_size(c.oid) AS bytes, greatest(c.reltuples, 0) AS row_count
        WHERE c.relkind <> 'p' AND NOT c.relhassubclass
        UNION ALL
        SELECT sum(pg_relation_size(m.member)), sum(greatest(l.reltuples, 0))
        FROM pgtrickle._members(c.oid) m JOIN pg_class l ON l.oid = m.member AND l.relkind = 'r'
        WHERE c.relkind = 'p' OR c.relhassubclass) s
    WHERE d.pgt_id = _source_size.pgt_id
$fn$;
