SELECT id, metadata FROM portico_job
WHERE state = 3 AND queue_name = ? AND status = ? AND coalesce(completed_at, failed_at) < ?
ORDER BY coalesce(completed_at, failed_at) LIMIT ?
