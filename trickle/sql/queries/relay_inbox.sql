-- The table of an inbox, and its columns that have names of their own; nothing when there is no such inbox.
SELECT format('%%I.%%I', i.inbox_schema, i.table_name), i.id_column, i.event_type_column, i.aggregate_id_col
  FROM pgtrickle.pgt_inbox_config i
 WHERE i.inbox_name = %(inbox)s
