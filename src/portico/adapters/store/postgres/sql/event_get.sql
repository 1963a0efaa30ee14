SELECT id, trigger_name, received_at, outcome, reason, source_id, job_ids, headers::text, body
FROM {schema}.event WHERE id = $1::uuid
