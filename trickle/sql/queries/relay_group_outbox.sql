-- The outbox that a group reads, and where the rows of its large deltas are; whether it is the one that was meant.
SELECT o.outbox_name, o.delta_table_name,
       o.outbox_name = (pgtrickle._find_outbox(%(outbox)s, current_schema()::text)).outbox_name
  FROM pgtrickle.pgt_consumer_groups g
  JOIN pgtrickle.pgt_outbox_config o USING (outbox_name)
 WHERE g.group_name = %(group)s
