-- Try each key, without waiting for any.
-- %(groups)s, %(names)s: parallel arrays of key numbers.
SELECT k.group_key, k.name_key, pg_try_advisory_lock(k.group_key, k.name_key)
  FROM unnest(%(groups)s::int[], %(names)s::int[]) AS k(group_key, name_key)
