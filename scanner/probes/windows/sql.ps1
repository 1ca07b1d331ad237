# The instances of SQL Server on the host, and questions to one of them. Plain language over the accessors.

# Each instance that the registry names, once: its name, its id and the key of its settings.
function Get-PfSqlInstances {
    $seen = @()
    foreach ($software in @('HKLM\SOFTWARE', 'HKLM\SOFTWARE\Wow6432Node')) {
        $base = $software + '\Microsoft\Microsoft SQL Server\'
        foreach ($name in @(Get-PfRegistryValueNames ($base + 'Instance Names\SQL'))) {
            $id = Get-PfRegistryText ($base + 'Instance Names\SQL') $name
            # The 32-bit view can name 64-bit instances again, without their Setup key.
            if ($name -ne '' -and $id -ne '' -and $seen -notcontains $id) {
                $seen += $id
                @{ name = $name; id = $id; key = ($base + $id) }
            }
        }
    }
}

# Where an instance listens on TCP, as the registry has it; empty where that cannot be told.
function Get-PfSqlPort($Instance) {
    $key = $Instance['key'] + '\MSSQLServer\SuperSocketNetLib\Tcp\IPAll'
    try {
        foreach ($name in @('TcpPort', 'TcpDynamicPorts')) {
            $port = (Get-PfRegistryText $key $name).Split(',')[0].Trim()
            if ($port -ne '' -and $port -ne '0') {
                return $port
            }
        }
    } catch {
        return ''
    }
    return ''
}

# The virtual name of a failover cluster instance; empty for an instance of this host alone.
function Get-PfSqlClusterName($Instance) {
    try {
        return (Get-PfRegistryText ($Instance['key'] + '\Cluster') 'ClusterName').Trim()
    } catch {
        return ''
    }
}

# How the instance's service is on this host: Running, Stopped, ...; empty where Windows does not tell.
function Get-PfSqlServiceState([string]$Name) {
    $service = 'MSSQL$' + $Name
    if ($Name -eq 'MSSQLSERVER') {
        $service = $Name
    }
    if (-not [System.Text.RegularExpressions.Regex]::IsMatch($service, '^[A-Za-z0-9_$#]+$')) {
        return ''
    }
    try {
        foreach ($row in @(Get-PfWmiRows ('SELECT State FROM Win32_Service WHERE Name="' + $service + '"') @('State'))) {
            return ('' + $row['State'])
        }
    } catch {
        return ''
    }
    return ''
}

# One question: its rows, or the error it ended in. None is begun once the session's time is up.
function Read-PfSql($Session, [string]$Database, [string]$Query) {
    $answer = @{ rows = @(); error = '' }
    if ((Get-PfClock) -ge $Session['ends']) {
        $answer['error'] = 'late: the questions before it took too long'
        return $answer
    }
    try {
        $answer['rows'] = @(Get-PfSqlRows $Session['endpoint'] $Database $Session['user'] $Query)
    } catch {
        $answer['error'] = Get-PfErrorText $_
    }
    return $answer
}
