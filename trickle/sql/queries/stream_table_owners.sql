-- Which instance holds the claim of each stream table.
SELECT o.pgt_id, o.pgt_schema || '.' || o.pgt_name AS name, o.group_id, o.instance_id, o.backend_pid
  FROM pgtrickle.ownership AS o
 ORDER BY o.pgt_schema, o.pgt_name, o.group_id
