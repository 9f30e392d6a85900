-- Remove dead letters that nobody has asked for in time, some at once. %(name)s, %(days)s.
DELETE FROM pgtrickle.pgt_relay_dead_letters AS d
 WHERE d.letter_id IN (SELECT o.letter_id
                         FROM pgtrickle.pgt_relay_dead_letters AS o
                        WHERE o.pipeline_name = %(name)s
                          AND o.retry_at IS NULL
                          AND o.failed_at < clock_timestamp() - make_interval(days => %(days)s)
                        LIMIT 1000)
