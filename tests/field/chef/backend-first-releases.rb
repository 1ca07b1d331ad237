peers ['192.0.2.216','192.0.2.217']
publish_address '192.0.2.215'
vip "192.0.2.220"
vip_interface "eth1"
