SELECT pgt_name, instance_id FROM pgtrickle.ownership
