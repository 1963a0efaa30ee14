INSERT INTO portico_trigger_lease (trigger_name, key, holder, expires_at) VALUES (:trigger, :key, :holder, :expires_at)
ON CONFLICT (trigger_name, key) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE holder = excluded.holder OR expires_at <= :now
RETURNING holder
