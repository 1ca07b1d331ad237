# Written by hand.
fqdn 'be-north1.corp.example'
publish_address '10.20.30.41'
postgresql.port = 5433
elasticsearch.port 9201
leaderl.http_port = 7332
elasticsearch.heap_size = 3500
