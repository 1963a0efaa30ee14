SELECT came_back_to, can_run FROM {schema}.put_back(
    ARRAY(
        SELECT id FROM {schema}.live_job
        WHERE id = $1::uuid AND state = 2 AND ($2::bigint IS NULL OR lease_token = $2) FOR UPDATE
    ),
    $3::timestamptz, coalesce($4::timestamptz, now()), $5::text
)
