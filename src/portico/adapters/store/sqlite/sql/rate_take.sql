INSERT INTO portico_rate_use (key, free_at, uses) VALUES (?, ?, 1)
ON CONFLICT (key, free_at) DO UPDATE SET uses = uses + 1
