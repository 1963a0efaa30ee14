SELECT id, queue_name, job_type, priority, max_retries, retry_count, crash_count, scheduled_at, created_at, started_at,
    created_by, error_message, payload, metadata, seq, due_in_seconds, came_back_to, rank
FROM {schema}.claim(
    $1::text, $2::int, $3::bigint, $4::bigint, $5::interval, $6::timestamptz, $7::int, $8::text, $9::text
)
