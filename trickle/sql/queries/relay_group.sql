-- Create a consumer group unless there is one.
SELECT pgtrickle.create_consumer_group(%(group)s, %(outbox)s, %(auto_offset_reset)s)
 WHERE NOT EXISTS (SELECT FROM pgtrickle.pgt_consumer_groups g WHERE g.group_name = %(group)s)
