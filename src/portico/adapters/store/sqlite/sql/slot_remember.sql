INSERT INTO portico_slot (name, size) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET size = excluded.size RETURNING id
