DELETE FROM portico_job
WHERE seq IN (
    SELECT seq FROM portico_job
    WHERE state = 3 AND queue_name = ? AND status = ? AND coalesce(completed_at, failed_at) < ?
    ORDER BY coalesce(completed_at, failed_at) LIMIT ?
)
RETURNING id, status, coalesce(completed_at, failed_at), queue_name, metadata
