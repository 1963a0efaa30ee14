INSERT INTO {schema}.trigger_lease AS held (trigger_name, key, holder, expires_at)
VALUES ($1, $2, $3, coalesce($5::timestamptz, now()) + $4::interval)
ON CONFLICT (trigger_name, key) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE held.holder = excluded.holder OR held.expires_at <= coalesce($5, now())
RETURNING holder
