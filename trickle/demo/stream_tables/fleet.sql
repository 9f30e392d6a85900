-- Join and aggregate: how much the planes of each maker fly.
SELECT p.manufacturer, count(*) AS flights, sum(d.distance) AS miles, sum(p.seats) AS seats
  FROM departures AS d
  JOIN planes AS p ON p.tailnum = d.tailnum
 GROUP BY p.manufacturer
