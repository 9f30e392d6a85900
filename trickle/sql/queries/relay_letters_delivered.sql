-- These dead letters are delivered after all. %(ids)s.
DELETE FROM pgtrickle.pgt_relay_dead_letters AS d
 WHERE d.letter_id = ANY (%(ids)s::bigint[])
