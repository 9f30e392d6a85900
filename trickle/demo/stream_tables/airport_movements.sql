-- UNION ALL below an aggregate: what took off and what came down.
SELECT m.airport, count(*) AS movements, sum(m.departing) AS departing, sum(m.arriving) AS arriving
  FROM (SELECT origin AS airport, 1 AS departing, 0 AS arriving FROM departures WHERE status <> 'scheduled'
         UNION ALL
        SELECT dest, 0, 1 FROM departures WHERE status = 'landed') AS m
 GROUP BY m.airport
