SELECT status, count(*) FROM portico_job WHERE state = 3 AND queue_name = ?1 GROUP BY status
UNION ALL
SELECT 'pending', count(*) FROM portico_job WHERE state = -1 AND queue_name = ?1
UNION ALL
SELECT 'pending', count(*) FROM portico_job WHERE state = 0 AND queue_name = ?1
UNION ALL
SELECT 'pending', count(*) FROM portico_job WHERE state = 1 AND queue_name = ?1
UNION ALL
SELECT 'running', count(*) FROM portico_job WHERE state = 2 AND queue_name = ?1
