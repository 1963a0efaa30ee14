SELECT place, queue_name, can_run FROM {schema}.reject(
    $1::uuid[], $2::bigint[], $3::int[], $4::text[], $5::timestamptz[], $6::timestamptz, $7::text, $8::text
)
