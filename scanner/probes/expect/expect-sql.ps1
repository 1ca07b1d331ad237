# One SELECT of the inventory's own, put to the one instance of SQL Server on the host that counts.
function Get-PfExpectedSql([string]$Database, [string]$Query) {
    $told = @{ found = @{}; gaps = @{} }
    $wanted = [string]$PfOption['sql_instance']
    $instances = @(Get-PfSqlInstances)
    $counting = @()
    foreach ($instance in $instances) {
        if ($instance['name'] -eq $wanted -or ($wanted -eq '' -and -not $instance['name'].StartsWith('MICROSOFT##'))) {
            $counting += $instance
        }
    }
    if ($counting.Count -ne 1) {
        $told['gaps']['rows'] = 'there are ' + $counting.Count + ' instances of SQL Server that could be meant; set sql_instance'
        return $told
    }
    $instance = $counting[0]
    $endpoint = '.'
    $cluster = Get-PfSqlClusterName $instance
    if ($cluster -ne '') {
        $endpoint = $cluster
    }
    $port = Get-PfSqlPort $instance
    $other = ''
    if ($port -ne '') {
        $other = '127.0.0.1,' + $port
        if ($cluster -ne '') {
            $other = $cluster + ',' + $port
        }
    }
    if ($instance['name'] -ne 'MSSQLSERVER') {
        $endpoint = $endpoint + '\' + $instance['name']
    }
    $session = @{ endpoint = $endpoint; user = [string]$PfOption['sql_user']; ends = ((Get-PfClock) + 20000) }
    $answer = Read-PfSql $session $Database $Query
    if ($answer['error'] -ne '' -and -not $answer['error'].StartsWith('sql 18') -and $other -ne '') {
        $session['endpoint'] = $other
        $answer = Read-PfSql $session $Database $Query
    }
    if ($answer['error'] -ne '') {
        $told['gaps']['rows'] = $answer['error']
        return $told
    }
    $told['found']['rows'] = @($answer['rows'])
    return $told
}
