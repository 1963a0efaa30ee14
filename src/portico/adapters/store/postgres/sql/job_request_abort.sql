UPDATE {schema}.live_job SET abort_requested = true WHERE id = $1::uuid AND state = 2 RETURNING id
