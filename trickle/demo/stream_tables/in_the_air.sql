-- A chain: counted from the board above.
SELECT airline, count(*) AS planes, max(dep_delay) AS worst_dep_delay
  FROM departure_board
 WHERE status = 'flying'
 GROUP BY airline
