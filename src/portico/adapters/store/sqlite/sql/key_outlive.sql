UPDATE portico_job_key SET status = ?, expires_at = ? WHERE queue_name = ? AND key = ? AND job_id = ?
