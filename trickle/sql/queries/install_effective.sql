-- The fill that comes with a program is in full; from now on the table is kept by the program.
UPDATE pgtrickle.pgt_stream_tables SET effective_refresh_mode = refresh_mode WHERE pgt_id = %(pgt_id)s
