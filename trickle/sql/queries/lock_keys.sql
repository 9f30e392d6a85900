-- The keys of names. Only the server's own hashtext is sure to agree with what other instances compute.
-- %(groups)s, %(names)s: parallel arrays of text.
SELECT n.group_id, n.name, hashtext(n.group_id), hashtext(n.name)
  FROM unnest(%(groups)s::text[], %(names)s::text[]) AS n(group_id, name)
