-- Channel statistics report.
SELECT channel, date_time::date AS day, max(to_char(date_time, 'HH24:MI')) AS minute, count(*) AS total_bids,
       count(*) FILTER (WHERE price < 10000) AS rank1_bids,
       count(DISTINCT bidder) AS total_bidders,
       count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions
FROM bid
GROUP BY channel, date_time::date
