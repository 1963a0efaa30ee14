DELETE FROM portico_event
WHERE seq IN (SELECT seq FROM portico_event WHERE received_at < ? ORDER BY received_at LIMIT ?)
