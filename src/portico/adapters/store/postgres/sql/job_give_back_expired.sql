SELECT came_back_to, can_run
FROM {schema}.give_back_expired(coalesce($1::timestamptz, now()), $2::int, $3::text, $4::text)
