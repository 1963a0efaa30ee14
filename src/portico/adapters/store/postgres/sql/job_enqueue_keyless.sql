SELECT {schema}.enqueue_keyless(
    $1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::timestamptz[], $8::uuid[],
    $9::text[], $10::text[], $11::text[], $12::timestamptz, $13::text
)
