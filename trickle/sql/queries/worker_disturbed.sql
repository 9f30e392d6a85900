-- Was a source of the unit truncated, rewritten, attached to or detached from since its snapshot? Neither obeys it: rows are
-- gone or there, and nothing tells the refresh. What the catalog showed at the snapshot is compared with what it is by now;
-- pg_relation_filenode and pg_partition_tree look at the newest.
WITH source AS (
    SELECT DISTINCT d.source_relid AS relid, c.relkind, c.relhassubclass
      FROM pgtrickle.pgt_dependencies AS d
      JOIN pg_catalog.pg_class AS c ON c.oid = d.source_relid AND c.relkind IN ('r', 'p')
     WHERE d.pgt_id = ANY (%(pgt_ids)s::bigint[])
), member AS (
    SELECT s.relid, m.member
      FROM source AS s
     CROSS JOIN LATERAL pgtrickle._members(s.relid) AS m
     WHERE s.relkind = 'p' OR s.relhassubclass
    UNION ALL
    SELECT s.relid, s.relid FROM source AS s WHERE s.relkind = 'r' AND NOT s.relhassubclass
)
SELECT EXISTS (
           SELECT FROM member AS m
             JOIN pg_catalog.pg_class AS c ON c.oid = m.member
            WHERE c.relkind = 'r' AND pg_relation_filenode(m.member) IS DISTINCT FROM c.relfilenode)
    OR EXISTS (
           SELECT FROM source AS s
            WHERE s.relkind = 'p'
              AND (SELECT array_agg(t.relid::oid ORDER BY t.relid::oid) FROM pg_partition_tree(s.relid) AS t)
                  IS DISTINCT FROM (SELECT array_agg(m.member ORDER BY m.member) FROM member AS m WHERE m.relid = s.relid))
