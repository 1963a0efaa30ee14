WITH gone AS (
    DELETE FROM {schema}.gone_job WHERE expires_at <= coalesce($1::timestamptz, now())
)
DELETE FROM {schema}.job_key WHERE expires_at <= coalesce($1::timestamptz, now())
