-- The payload of a message whose rows are in a table of their own, as it would be if they were few.
SELECT (jsonb_build_object('v', 1,
            'inserted', coalesce(jsonb_agg(d.row_data ORDER BY d.row_num) FILTER (WHERE d.row_op = 'INSERT'), '[]'),
            'deleted', coalesce(jsonb_agg(d.row_data ORDER BY d.row_num) FILTER (WHERE d.row_op = 'DELETE'), '[]')
        ) || coalesce(%(headers)s::jsonb, '{{}}'))::text
  FROM {table} d
 WHERE d.outbox_id = %(outbox_id)s
