return Get-PfConfigFiles 'database.config'
