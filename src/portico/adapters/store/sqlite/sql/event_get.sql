SELECT id, trigger_name, received_at, outcome, reason, source_id, job_ids, headers, body
FROM portico_event WHERE id = ?
