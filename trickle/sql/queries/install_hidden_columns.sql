-- Columns that the stored view has and the storage has not, with the types to add them by.
SELECT v.attname AS name, pgtrickle._type_name(v.atttypid, v.atttypmod) AS type
FROM pg_attribute v
WHERE v.attrelid = to_regclass(format('pgtrickle_programs.stored_%%s', %(pgt_id)s::bigint))
  AND v.attnum > 0 AND NOT v.attisdropped
  AND NOT EXISTS (
      SELECT FROM pg_attribute a JOIN pgtrickle.pgt_stream_tables s ON a.attrelid = s.pgt_relid
      WHERE s.pgt_id = %(pgt_id)s AND a.attname = v.attname AND NOT a.attisdropped)
ORDER BY v.attnum
