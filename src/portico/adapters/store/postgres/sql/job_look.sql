SELECT id, queue_name, job_type, priority, max_retries, retry_count, crash_count, scheduled_at, created_at, started_at,
    created_by, error_message, payload, metadata, seq, due_in_seconds, came_back_to, rank
FROM {schema}.look($1::text, $2::int, $3::timestamptz, $4::int, $5::text, $6::text)
