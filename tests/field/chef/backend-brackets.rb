publish_address '10.20.30.41' # External ip address of this backend box
elasticsearch['temp_directory'] = '/var/opt/chef-backend/elasticsearch/tmp'
leaderl.health_check.fatal_system_checks true
