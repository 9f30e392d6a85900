-- Hot items: the auctions with the most bids in windows of ten seconds that begin every two.
WITH counted AS (
    SELECT b.auction, count(*) AS num, w.starttime
    FROM bid b
    CROSS JOIN LATERAL (
        SELECT (extract(epoch FROM b.date_time)::bigint / 2 - n) * 2 AS starttime FROM generate_series(0, 4) n) w
    GROUP BY b.auction, w.starttime
)
SELECT a.auction, a.num
FROM counted a
JOIN (SELECT max(num) AS maxn, starttime FROM counted GROUP BY starttime) m
  ON a.starttime = m.starttime AND a.num >= m.maxn
