SELECT id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
    started_at, completed_at, failed_at, created_by, error_message, payload, metadata, result, seq, state, lease_token,
    abort_requested
FROM portico_job
WHERE state = 3 AND status <> 'completed' AND status = :status AND seq < coalesce(:before, 9223372036854775807)
    AND (:queue_name IS NULL OR queue_name = :queue_name)
    AND (:job_type IS NULL OR job_type = :job_type)
    AND (:error_contains IS NULL OR instr(error_message, :error_contains) > 0)
    AND (:created_after IS NULL OR created_at >= :created_after)
    AND (:created_before IS NULL OR created_at < :created_before)
ORDER BY seq DESC LIMIT :limit
