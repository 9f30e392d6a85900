-- Take the next messages of a group; JSON as text, so that nobody parses it.
SELECT p.outbox_id, p.pgt_id::text, p.key, p.payload::text, p.headers, p.body, p.content_type, p.is_claim_check
  FROM pgtrickle.poll_outbox(%(group)s, %(consumer)s, %(limit)s, %(visibility_seconds)s) p
 ORDER BY p.outbox_id
