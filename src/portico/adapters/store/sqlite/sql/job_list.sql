SELECT id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
    started_at, completed_at, failed_at, created_by, error_message, payload, metadata, result, seq, state, lease_token
FROM portico_job
WHERE (:before IS NULL OR seq < :before)
    AND (:queue_name IS NULL OR queue_name = :queue_name)
    AND (:status IS NULL OR status = :status)
    AND (:job_type IS NULL OR job_type = :job_type)
ORDER BY seq DESC LIMIT :limit
