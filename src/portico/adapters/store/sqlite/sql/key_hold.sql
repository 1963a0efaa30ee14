INSERT INTO portico_job_key (queue_name, key, job_id) VALUES /*row*/ (?, ?, ?)
ON CONFLICT (queue_name, key) DO UPDATE SET job_id = excluded.job_id, status = NULL, expires_at = NULL
