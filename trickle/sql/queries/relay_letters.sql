-- Dead letters that somebody wants to be tried again, the oldest first. %(name)s, %(most)s.
SELECT d.letter_id, d.event_id, d.key, d.payload, d.content_type, d.headers, d.facts
  FROM pgtrickle.pgt_relay_dead_letters AS d
 WHERE d.pipeline_name = %(name)s
   AND d.retry_at IS NOT NULL
 ORDER BY d.letter_id
 LIMIT %(most)s
