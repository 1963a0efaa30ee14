SELECT place, came_back_to FROM {schema}.complete($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz)
