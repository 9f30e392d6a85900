-- End the sessions of these members that have said nothing for so long: they are frozen, or cut off, and hold tenants.
-- %(group)s, %(members)s, %(seconds)s.
SELECT s.session_pid, pg_terminate_backend(s.session_pid)
FROM pgtrickle.tenant_supervisors s
WHERE s.lock_group = %(group)s AND s.session_pid = ANY (%(members)s::int[]) AND s.session_pid <> pg_backend_pid()
  AND s.said_on < clock_timestamp() - make_interval(secs => %(seconds)s)
