-- Columns that an earlier program declared NOT NULL.
SELECT a.attname AS name
FROM pg_attribute a JOIN pgtrickle.pgt_stream_tables s ON a.attrelid = s.pgt_relid
WHERE s.pgt_id = %(pgt_id)s AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
ORDER BY a.attnum
