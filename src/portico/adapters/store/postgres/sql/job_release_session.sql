-- all that a session holds, or only what one claim got
SELECT came_back_to, can_run FROM {schema}.put_back(
    ARRAY(
        SELECT id FROM {schema}.live_job
        WHERE state = 2 AND session = $1::bigint AND ($2::bigint IS NULL OR lease_token = $2) FOR UPDATE
    ),
    NULL, coalesce($3::timestamptz, now()), $4::text
)
