$dns = 'HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters'
return @{ name = (Get-PfComputerName); domain = ('' + (Get-PfRegistryValue $dns 'Domain')).Trim() }
