-- The ten highest bids of each auction, of equal ones the earliest.
SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, date_time) AS place FROM bid) q WHERE place <= 10
