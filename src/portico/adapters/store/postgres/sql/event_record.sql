INSERT INTO {schema}.event (id, trigger_name, received_at, outcome, reason, source_id, job_ids, headers, body)
VALUES ($1, $2, $3, $4, $5, $6, $7::uuid[], $8::text::json, $9)
ON CONFLICT (id) DO UPDATE SET trigger_name = excluded.trigger_name, received_at = excluded.received_at,
    outcome = excluded.outcome, reason = excluded.reason, source_id = excluded.source_id,
    job_ids = excluded.job_ids, headers = excluded.headers, body = excluded.body
