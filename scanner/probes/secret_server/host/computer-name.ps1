$dns = 'HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters'
return @{ name = (Get-PfComputerName); domain = (Get-PfRegistryText $dns 'Domain').Trim() }
