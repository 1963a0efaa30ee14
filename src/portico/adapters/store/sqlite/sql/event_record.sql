INSERT INTO portico_event (id, trigger_name, received_at, outcome, reason, source_id, job_ids, headers, body)
VALUES (?, ?, ?, ?, nullif(?, 0), nullif(?, 0), ?, ?, nullif(?, 0))
ON CONFLICT (id) DO UPDATE SET trigger_name = excluded.trigger_name, received_at = excluded.received_at,
    outcome = excluded.outcome, reason = excluded.reason, source_id = excluded.source_id,
    job_ids = excluded.job_ids, headers = excluded.headers, body = excluded.body
