-- who has the id, the idempotency key or the unique key that a job asked for, in this order
WITH asked AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
    WITH ORDINALITY AS asked (id, queue_name, unique_key, idempotency_key, place)
), found AS (
    SELECT asked.place, held.status AS held_status, coalesce(
        (SELECT job.id FROM {schema}.job WHERE job.id = asked.id LIMIT 1),
        held.job_id,
        (
            SELECT live.id FROM {schema}.live_job AS live
            WHERE live.queue_name = asked.queue_name COLLATE "C" AND live.unique_key = asked.unique_key COLLATE "C"
        )
    ) AS holder
    FROM asked
    LEFT JOIN LATERAL (
        SELECT key.job_id, key.status FROM {schema}.job_key AS key
        WHERE key.queue_name = asked.queue_name COLLATE "C" AND key.key = asked.idempotency_key COLLATE "C"
            AND (key.expires_at > coalesce($5::timestamptz, now()) OR key.expires_at IS NULL AND NOT EXISTS (
                SELECT FROM {schema}.ended_job AS ended
                WHERE ended.id = key.job_id AND ended.ended_at + $6::interval <= coalesce($5::timestamptz, now())
            ))
        LIMIT 1
    ) AS held ON true
)
SELECT job.*, found.place, found.holder, found.held_status
FROM found
LEFT JOIN LATERAL (
    SELECT id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
        started_at, completed_at, failed_at, created_by, error_message, payload::text, metadata::text, result::text, seq
    FROM {schema}.job WHERE job.id = found.holder
    UNION ALL
    SELECT id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
        started_at, CASE WHEN status = 'completed' THEN ended_at END, CASE WHEN status <> 'completed' THEN ended_at END,
        created_by, error_message, payload::text, metadata::text, result::text, seq
    FROM {schema}.gone_job WHERE gone_job.id = found.holder AND found.held_status IS NOT NULL
    LIMIT 1
) AS job ON true
WHERE found.holder IS NOT NULL
