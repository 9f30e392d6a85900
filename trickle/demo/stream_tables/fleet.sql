-- Join, aggregate, HAVING: makers of the planes that fly often.
SELECT p.manufacturer, count(*) AS flights, sum(d.distance) AS miles, min(p.year) AS oldest
  FROM departures AS d
  JOIN planes AS p ON p.tailnum = d.tailnum
 GROUP BY p.manufacturer
HAVING count(*) >= 500
