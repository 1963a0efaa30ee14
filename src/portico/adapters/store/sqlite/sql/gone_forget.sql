DELETE FROM portico_gone_job WHERE expires_at <= ?
