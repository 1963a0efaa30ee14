SELECT job_id, queue FROM {schema}.committed($1::uuid[])
