SELECT id, lease_token FROM portico_job WHERE abort_requested = 1
