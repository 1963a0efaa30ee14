SELECT id FROM {schema}.extend($1::uuid[], $2::bigint[], $3::interval, $4::timestamptz) AS id
