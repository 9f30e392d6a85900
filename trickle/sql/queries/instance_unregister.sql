-- A deliberate farewell.
DELETE FROM pgtrickle.pgt_instances
 WHERE group_id = %(group_id)s AND instance_id = %(instance_id)s AND backend_pid = %(backend_pid)s
