-- Log to file system: with the columns that name the file.
SELECT auction, bidder, price, date_time, extra, date_time::date AS dt, extract(hour FROM date_time)::int AS hm FROM bid
