SELECT {schema}.commit_durably('off'), pg_notify($1, $2)
