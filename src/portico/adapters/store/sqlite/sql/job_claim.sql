UPDATE portico_job
SET state = 2, status = 'running', started_at = :now, lease_token = :token, lease_expires_at = :lease_end,
    session = :session
WHERE seq IN (
    SELECT seq FROM portico_job WHERE state = 0 AND queue_name = :queue_name
    ORDER BY priority DESC, rank, seq LIMIT :limit
)
RETURNING id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
    started_at, completed_at, failed_at, created_by, error_message, payload, metadata, result, rank, seq, state,
    lease_token, abort_requested
