-- User sessions: bids of one bidder that follow each other within ten seconds.
SELECT bidder, count(*) AS bid_count, min(date_time) AS starttime, max(date_time) AS endtime
FROM (
    SELECT bidder, date_time,
           count(*) FILTER (WHERE fresh) OVER (PARTITION BY bidder ORDER BY date_time RANGE UNBOUNDED PRECEDING) AS session
    FROM (
        SELECT bidder, date_time,
               date_time - lag(date_time) OVER (PARTITION BY bidder ORDER BY date_time) > interval '10 seconds' AS fresh
        FROM bid
    ) gaps
) sessions
GROUP BY bidder, session
