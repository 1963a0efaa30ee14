SELECT seq FROM {schema}.event WHERE id = $1::uuid
