SELECT id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
    started_at, completed_at, failed_at, created_by, error_message, payload, metadata, result
FROM portico_gone_job WHERE id IN (VALUES /*row*/ (?))
