-- `is_ended` is the same for all rows of a table, so that a list asks only the one that matters.
CREATE OR REPLACE VIEW {schema}.job AS
SELECT id, queue_name, job_type, priority,
    CASE WHEN state = 2 THEN 'running' WHEN retry_count + crash_count > 0 THEN 'retrying'
        WHEN scheduled_at IS NULL THEN 'pending' ELSE 'scheduled' END AS status,
    max_retries, retry_count, crash_count, scheduled_at, created_at, started_at,
    NULL::timestamptz AS completed_at, NULL::timestamptz AS failed_at,
    created_by, error_message, payload, metadata, NULL::json AS result, seq,
    false AS is_ended
FROM {schema}.live_job
UNION ALL
SELECT id, queue_name, job_type, priority, status,
    max_retries, retry_count, crash_count, scheduled_at, created_at, started_at,
    CASE WHEN status = 'completed' THEN ended_at END, CASE WHEN status <> 'completed' THEN ended_at END,
    created_by, error_message, payload, metadata, result, seq,
    true AS is_ended
FROM {schema}.ended_job;
