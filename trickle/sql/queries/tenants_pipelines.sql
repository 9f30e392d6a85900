-- How many pipelines are enabled here, and whether any has something to carry: messages, or letters that are to be tried
-- again. What comes in from elsewhere nobody tells, so it always may.
SELECT count(*), coalesce(bool_or(s.direction = 'reverse' OR s.lag > 0 OR s.dead_letters > 0 AND EXISTS (
           SELECT FROM pgtrickle.pgt_relay_dead_letters AS d WHERE d.pipeline_name = s.name AND d.retry_at IS NOT NULL)), false)
  FROM pgtrickle.relay_status() AS s
 WHERE s.enabled
