-- Hidden columns left by an earlier program.
SELECT a.attname AS name
FROM pg_attribute a JOIN pgtrickle.pgt_stream_tables s ON a.attrelid = s.pgt_relid
WHERE s.pgt_id = %(pgt_id)s AND a.attnum > 0 AND NOT a.attisdropped AND a.attname LIKE '\_\_pgt\_%%'
ORDER BY a.attnum
