-- After loading, because that is faster. The keys by which groups and the other sides of joins are found again.
CREATE UNIQUE INDEX flights_flight_id_idx ON flights (flight_id);
CREATE INDEX departures_carrier_day_idx ON departures (carrier, day);
CREATE INDEX departures_origin_dest_idx ON departures (origin, dest);
CREATE INDEX departures_tailnum_idx ON departures (tailnum);
CREATE INDEX departures_status_idx ON departures (status) WHERE status IN ('scheduled', 'flying');
