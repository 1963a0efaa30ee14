DELETE FROM portico_job_key WHERE expires_at IS NOT NULL AND expires_at <= ?
