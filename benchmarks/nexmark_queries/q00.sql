-- Pass through: what it costs to monitor at all.
SELECT auction, bidder, price, date_time, extra FROM bid
