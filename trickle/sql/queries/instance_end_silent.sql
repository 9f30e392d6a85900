-- End the lock session and the refresh or relay sessions of members that have been silent for too long: their process is frozen
-- or cut off, and the server would keep their locks. A lock session is theirs when it holds their membership and is the
-- one they announced; another when it bears their mark. Looked at again here, because they may have woken up.
-- %(group_id)s, %(instance_ids)s, %(silent_seconds)s.
SELECT i.instance_id, count(*) FILTER (WHERE pg_terminate_backend(a.pid))
  FROM pgtrickle.pgt_instances AS i
  JOIN pgtrickle._memberships AS h
    ON h.group_id = i.group_id
   AND h.instance_id = i.instance_id
   AND h.pid = i.backend_pid
  JOIN pg_catalog.pg_stat_activity AS a
    ON a.pid = i.backend_pid AND starts_with(a.application_name, 'pg_trickle_lock')
    OR a.datid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
       AND a.application_name IN (
           SELECT kind || left(encode(sha256(convert_to(char_length(i.group_id) || '/' || i.group_id || i.instance_id,
                                                        'UTF8')), 'hex'), 16)
             FROM unnest('{pg_trickle_refresh_,pg_trickle_relay_}'::text[]) AS kind)
 WHERE i.group_id = %(group_id)s
   AND i.instance_id = ANY (%(instance_ids)s::text[])
   AND i.heartbeat_at < clock_timestamp() - make_interval(secs => %(silent_seconds)s)
   AND a.usename = current_user
 GROUP BY i.instance_id
