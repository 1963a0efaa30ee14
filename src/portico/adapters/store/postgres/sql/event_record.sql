INSERT INTO {schema}.event (id, trigger_name, received_at, outcome, reason, source_id, job_ids, headers, body)
SELECT given.id, given.trigger_name, given.received_at, given.outcome, given.reason, given.source_id,
    given.job_ids::uuid[], given.headers::json, given.body
FROM unnest(
    $1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[]
) WITH ORDINALITY AS given (
    id, trigger_name, received_at, outcome, reason, source_id, job_ids, headers, body, place
)
ORDER BY given.place
ON CONFLICT (id) DO UPDATE SET trigger_name = excluded.trigger_name, received_at = excluded.received_at,
    outcome = excluded.outcome, reason = excluded.reason, source_id = excluded.source_id,
    job_ids = excluded.job_ids, headers = excluded.headers, body = excluded.body
