SELECT id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
    started_at, completed_at, failed_at, created_by, error_message, payload::text, metadata::text, result::text, seq
FROM {schema}.job
WHERE seq < coalesce($1::bigint, 9223372036854775807)
    AND ($2::text IS NULL OR queue_name = $2)
    AND ($3::text IS NULL OR status = $3)
    AND ($4::text IS NULL OR job_type = $4)
    AND ($5::text IS NULL OR strpos(error_message, $5) > 0)
    AND ($6::timestamptz IS NULL OR created_at >= $6)
    AND ($7::timestamptz IS NULL OR created_at < $7)
    -- spares one of the two tables
    AND ($8::boolean IS NULL OR is_ended = $8)
ORDER BY seq DESC LIMIT $9::bigint
