VACUUM (SKIP_LOCKED, TRUNCATE off) {schema}.live_job
