-- Statements that drop what an earlier program left: the indexes by which stored rows are found, and the stored view.
SELECT format('DROP INDEX %%s', i.indexrelid::regclass) AS statement
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pgtrickle.pgt_stream_tables s ON s.pgt_relid = i.indrelid
WHERE s.pgt_id = %(pgt_id)s AND c.relname IN (format('__pgt_key_%%s', s.pgt_id), format('__pgt_walk_%%s', s.pgt_id))
UNION ALL
SELECT format('DROP VIEW %%s', v) FROM to_regclass(format('pgtrickle_programs.stored_%%s', %(pgt_id)s::bigint)) v
WHERE v IS NOT NULL
