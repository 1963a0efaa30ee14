WITH admitted (seq) AS (VALUES /*row*/ (?))
UPDATE portico_job
SET state = 2, status = 'running', started_at = ?, lease_token = ?, lease_expires_at = ?, session = ?
WHERE seq IN (SELECT seq FROM admitted)
RETURNING id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
    started_at, completed_at, failed_at, created_by, error_message, payload, metadata, result, rank, seq, state,
    lease_token, abort_requested
