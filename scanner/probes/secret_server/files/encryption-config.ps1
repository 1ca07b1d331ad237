return Get-PfConfigFiles 'encryption.config'
