-- Highest bid of each window of ten seconds.
SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid b
JOIN (
    SELECT max(price) AS maxprice, extract(epoch FROM date_time)::bigint / 10 AS slot
    FROM bid GROUP BY extract(epoch FROM date_time)::bigint / 10
) m ON b.price = m.maxprice AND extract(epoch FROM b.date_time)::bigint / 10 = m.slot
