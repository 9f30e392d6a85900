-- Give keys back.
-- %(groups)s, %(names)s: parallel arrays of key numbers.
SELECT pg_advisory_unlock(k.group_key, k.name_key)
  FROM unnest(%(groups)s::int[], %(names)s::int[]) AS k(group_key, name_key)
