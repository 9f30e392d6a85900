-- Monitor new users: those who open an auction in the window in which they came.
SELECT p.id, p.name, p.starttime
FROM (SELECT DISTINCT id, name, extract(epoch FROM date_time)::bigint / 10 AS starttime FROM person) p
JOIN (SELECT DISTINCT seller, extract(epoch FROM date_time)::bigint / 10 AS starttime FROM auction) a
  ON p.id = a.seller AND p.starttime = a.starttime
