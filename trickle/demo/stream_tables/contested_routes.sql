-- A chain with HAVING: where at least three airlines compete.
SELECT origin, dest, count(*) AS airlines
  FROM network
 GROUP BY origin, dest
HAVING count(*) >= 3
