SELECT seq FROM {schema}.job WHERE id = $1::uuid
