SELECT admitted, started_at, came_back_to FROM {schema}.admit(
    $1::uuid[], $2::int[], $3::int[], $4::text[], $5::bigint[], $6::interval[], $7::int, $8::bigint, $9::bigint,
    $10::interval, $11::timestamptz
)
