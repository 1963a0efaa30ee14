UPDATE portico_job SET lease_expires_at = ? WHERE state = 2 AND session = ? RETURNING id, lease_token
