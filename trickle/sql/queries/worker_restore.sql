-- The catalog came from another database: forget its frontiers and make capture anew.
SELECT pgtrickle.restore_stream_tables()
