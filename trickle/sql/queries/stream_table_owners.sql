-- Which instance holds the claim of each stream table.
SELECT o.pgt_name, o.group_id, o.instance_id, o.backend_pid
  FROM pgtrickle.ownership AS o
 ORDER BY o.pgt_name, o.group_id
