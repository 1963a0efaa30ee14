SELECT id, trigger_name, received_at, outcome, reason, source_id, job_ids, headers::text, body
FROM {schema}.event
WHERE seq < coalesce($1::bigint, 9223372036854775807)
    AND ($2::text IS NULL OR trigger_name = $2)
    AND ($3::text IS NULL OR outcome = $3)
ORDER BY seq DESC LIMIT $4::bigint
