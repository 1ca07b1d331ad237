fqdn "chef-fe1.corp.example"

use_chef_backend true
chef_backend_members ["10.20.30.43", "10.20.30.42", "10.20.30.41"]

haproxy['remote_postgresql_port'] = 5432
haproxy['remote_elasticsearch_port'] = 9200

postgresql['external'] = true
postgresql['vip'] = '127.0.0.1'
postgresql['db_superuser'] = 'chef_pgsql'
postgresql['db_superuser_password'] = 'not-a-real-one'

opscode_solr4['external'] = true
opscode_solr4['external_url'] = 'http://127.0.0.1:9200'
opscode_erchef['search_provider'] = 'elasticsearch'
opscode_erchef['search_queue_mode'] = 'batch'

bookshelf['storage_type'] = :sql

rabbitmq['enable'] = false
rabbitmq['management_enabled'] = false
rabbitmq['queue_length_monitor_enabled'] = false

opscode_expander['enable'] = false

dark_launch['actions'] = false
