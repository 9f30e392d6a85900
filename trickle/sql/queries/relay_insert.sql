-- Put a batch into a table, in order; what is there already, by its id, stays as it is.
INSERT INTO {table} ({columns})
SELECT {values}
  FROM unnest({arrays}) WITH ORDINALITY AS m({names}, n)
 ORDER BY m.n
ON CONFLICT ({id}) DO NOTHING
