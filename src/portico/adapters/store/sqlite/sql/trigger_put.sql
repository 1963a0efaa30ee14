INSERT INTO portico_trigger_value (trigger_name, key, value, version) VALUES (?, ?, ?, ?)
ON CONFLICT (trigger_name, key) DO UPDATE SET value = excluded.value, version = excluded.version
