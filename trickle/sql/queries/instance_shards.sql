-- The numbers of shards of which we may hold some: noted before the first is taken, else nobody could tell what
-- the locks stand for. %(instance_id)s, %(group_id)s, %(shard_counts)s.
UPDATE pgtrickle.pgt_instances AS i
   SET shard_counts = %(shard_counts)s
 WHERE i.group_id = %(group_id)s
   AND i.instance_id = %(instance_id)s
