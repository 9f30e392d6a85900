-- What a runner holds. %(worker)s.
SELECT j.id, j.epoch FROM job j WHERE j.state = 'active' AND j.worker_id = %(worker)s
