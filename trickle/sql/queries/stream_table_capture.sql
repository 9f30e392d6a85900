-- Each captured source, and what is wrong with its capture triggers; NULL when nothing is.
SELECT format('%%I.%%I', t.source_schema, t.source_name) AS source,
       CASE WHEN c.oid IS NULL THEN 'the table was dropped'
            WHEN q.source_id IS NOT NULL THEN pgtrickle._capture_fault(t.source_relid, t.source_id)
       END AS fault
  FROM pgtrickle.pgt_change_tracking AS t
  LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.source_relid
  LEFT JOIN pgtrickle._doubtful_captures() AS q USING (source_id)
 ORDER BY 1
