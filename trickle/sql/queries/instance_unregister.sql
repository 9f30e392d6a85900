-- A deliberate farewell.
DELETE FROM pgtrickle.pgt_instances WHERE instance_id = %(instance_id)s AND backend_pid = %(backend_pid)s
