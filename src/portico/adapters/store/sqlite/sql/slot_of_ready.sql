SELECT parked_for FROM portico_job WHERE id = ? AND +state = 0 AND parked_for IS NOT NULL
