--- When a tenant is stuck in cold / states
SELECT state, count(*) FROM pgboss.job GROUP BY state;
--- When a tenant is stuck in cold / reclaim
UPDATE pgboss.job
SET state = 'retry'
WHERE state = 'active'
AND started_on < now() - interval '5 min';
