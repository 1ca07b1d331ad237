return @{ connections = @(Get-PfTcpConnections) }
