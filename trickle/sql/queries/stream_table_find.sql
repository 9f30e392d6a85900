-- The storage of the stream table that a name means, as pgtrickle._resolve finds it; no row when there is none.
SELECT s.pgt_relid::bigint
  FROM pgtrickle.pgt_stream_tables AS s,
       pgtrickle._split_name(%(name)s::text, current_schema()::text) AS wanted
 WHERE (s.pgt_schema = wanted[1] AND s.pgt_name = wanted[2])
    OR s.pgt_relid = to_regclass(format('%%I.%%I', wanted[1], wanted[2]))
 ORDER BY (s.pgt_schema = wanted[1] AND s.pgt_name = wanted[2]) DESC
 LIMIT 1
