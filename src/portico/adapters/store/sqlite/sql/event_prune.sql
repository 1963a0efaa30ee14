DELETE FROM portico_event WHERE received_at < ?
