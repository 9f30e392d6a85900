-- The first statement of a unit of one snapshot: it says whose transaction this is, and takes the snapshot.
SELECT set_config('pg_trickle.unit', 'on', true)
