SELECT status, count(*) FROM {schema}.ended_job WHERE queue_name = $1::text GROUP BY status
UNION ALL
SELECT 'pending', count(*) FROM {schema}.live_job WHERE queue_name = $1 AND state = 0
UNION ALL
SELECT 'pending', count(*) FROM {schema}.live_job WHERE queue_name = $1 AND state = 1
UNION ALL
SELECT 'pending', count(*) FROM {schema}.live_job WHERE queue_name = $1 AND state = 3
UNION ALL
SELECT 'running', count(*) FROM {schema}.live_job WHERE queue_name = $1 AND state = 2
