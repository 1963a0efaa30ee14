-- `job_enqueue` for one job without an idempotency key, in half the time; no row: its id or its unique key is taken
INSERT INTO {schema}.live_job (
    seq, id, queue_name, job_type, priority, max_retries, scheduled_at, created_at, created_by, unique_key, payload,
    metadata, partition_key, rank, state, run_at
) VALUES (
    nextval('{schema}.job_seq'), $1, $2, $3, $4, $5, $6::timestamptz, $7, $8, $9, $10::text::json, $11::text::json,
    $12::text, coalesce({schema}.next_rank($2, $4, $12, $12 IS NOT NULL), 0),
    CASE WHEN $6 > coalesce($13::timestamptz, now()) THEN 1 ELSE 0 END, coalesce($6, $13, now())
)
ON CONFLICT DO NOTHING
RETURNING {schema}.is_new(id, $14::text)
