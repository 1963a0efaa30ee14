DELETE FROM {schema}.event WHERE received_at < $1::timestamptz RETURNING id
