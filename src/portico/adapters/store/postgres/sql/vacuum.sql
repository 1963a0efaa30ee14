VACUUM (SKIP_LOCKED, TRUNCATE off) {schema}.live_job, {schema}.slot_run, {schema}.slot_start
