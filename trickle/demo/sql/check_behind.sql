-- The stream tables that have not taken everything from their sources yet, at one snapshot.
SELECT s.pgt_name
  FROM pgtrickle.pgt_stream_tables AS s
  LEFT JOIN pgtrickle.pending() AS p USING (pgt_id)
 WHERE coalesce(p.has_changes, true) OR NOT s.is_populated OR s.status <> 'ACTIVE'
 ORDER BY s.pgt_name
