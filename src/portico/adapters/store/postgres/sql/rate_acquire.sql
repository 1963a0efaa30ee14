SELECT remaining, wait FROM {schema}.acquire_rate($1, $2, $3, $4, $5)
