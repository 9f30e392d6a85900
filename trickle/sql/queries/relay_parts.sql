-- Some rows of a large delta, as one message. %(delta_table)s, %(outbox_id)s, %(after_row)s, %(most)s.
SELECT p.*
  FROM pgtrickle._relay_parts(%(delta_table)s, %(outbox_id)s, %(after_row)s, %(most)s) AS p
