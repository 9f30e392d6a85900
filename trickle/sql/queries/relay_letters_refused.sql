-- These dead letters were refused again. %(ids)s, %(kinds)s, %(reasons)s: side by side.
UPDATE pgtrickle.pgt_relay_dead_letters AS d
   SET kind = r.kind,
       reason = r.reason,
       attempts = d.attempts + 1,
       failed_at = clock_timestamp(),
       retry_at = NULL
  FROM unnest(%(ids)s::bigint[], %(kinds)s::text[], %(reasons)s::text[]) AS r(letter_id, kind, reason)
 WHERE d.letter_id = r.letter_id
