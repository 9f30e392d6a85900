-- Each change buffer once, with an estimate of its rows and its size on disk.
SELECT b.source_table, max(b.pending_rows) AS pending_rows, max(b.buffer_bytes) AS buffer_bytes
  FROM pgtrickle.change_buffer_sizes() AS b
 GROUP BY b.source_table
 ORDER BY 3 DESC, 1
