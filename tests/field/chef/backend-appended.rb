publish_address '10.20.30.41'
postgresql.md5_auth_cidr_addresses = ["samehost","samenet","10.20.0.0/16"]
publish_address '10.20.30.42'
etcd.heartbeat_interval = 1000
etcd.election_timeout = 10000
postgresql.log_min_duration_statement = 500
elasticsearch.heap_size = 3500
