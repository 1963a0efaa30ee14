DELETE FROM {schema}.job_key WHERE expires_at <= coalesce($1::timestamptz, now())
