-- The stream tables that we have claimed and leave alone until another instance has let go of them.
-- %(pgt_ids)s, %(instance_id)s, %(group_id)s.
UPDATE pgtrickle.pgt_instances AS i
   SET waits_for = %(pgt_ids)s
 WHERE i.group_id = %(group_id)s
   AND i.instance_id = %(instance_id)s
