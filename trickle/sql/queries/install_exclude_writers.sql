-- While the program and the storage of an IMMEDIATE stream table change, nobody may write through it.
SELECT pgtrickle._exclude_writers(s.pgt_id)
FROM pgtrickle.pgt_stream_tables s
WHERE s.pgt_id = %(pgt_id)s AND s.refresh_mode = 'IMMEDIATE'
