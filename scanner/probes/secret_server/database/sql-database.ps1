$sql = @{}
$sql['server'] = 'SELECT CAST(SERVERPROPERTY(''ProductVersion'') AS nvarchar(128)) AS version,
    CAST(SERVERPROPERTY(''Collation'') AS nvarchar(128)) AS collation,
    CAST(SERVERPROPERTY(''Edition'') AS nvarchar(128)) AS edition,
    CAST(SERVERPROPERTY(''EngineEdition'') AS int) AS engine_edition,
    CAST(SERVERPROPERTY(''ServerName'') AS nvarchar(128)) AS server_name,
    CAST(SERVERPROPERTY(''IsHadrEnabled'') AS int) AS hadr,
    CAST(SERVERPROPERTY(''ComputerNamePhysicalNetBIOS'') AS nvarchar(128)) AS computer,
    CONVERT(nvarchar(30), GETDATE(), 126) AS local_time,
    CONVERT(nvarchar(30), GETUTCDATE(), 126) AS utc_time,
    HAS_PERMS_BY_NAME(NULL, NULL, ''VIEW SERVER STATE'') AS server_state,
    IS_SRVROLEMEMBER(''sysadmin'') AS sysadmin'
$sql['databases'] = 'SELECT d.database_id, d.name, CAST(d.compatibility_level AS int) AS level, d.collation_name AS collation,
    d.state_desc AS state, d.recovery_model_desc AS recovery, HAS_DBACCESS(d.name) AS open_to_us,
    CASE WHEN d.state = 0 AND HAS_DBACCESS(d.name) = 1
        THEN OBJECT_ID(QUOTENAME(d.name) + ''.[dbo].[tbVersion]'', ''U'') END AS table_id,
    CAST(d.is_merge_published AS int) AS merge_published,
    CASE WHEN d.state = 0 AND HAS_DBACCESS(d.name) = 1
        THEN OBJECT_ID(QUOTENAME(d.name) + ''.[dbo].[sysmergesubscriptions]'') END AS merge_id
    FROM sys.databases AS d WHERE d.database_id > 4 AND d.source_database_id IS NULL'
$sql['versions'] = 'SELECT TOP 5000 CAST(v.VersionNumber AS nvarchar(64)) AS version FROM dbo.tbVersion AS v'
$sql['mirroring'] = 'SELECT m.database_id, CAST(m.mirroring_state AS int) AS state, CAST(m.mirroring_role AS int) AS role,
    CAST(m.mirroring_safety_level AS int) AS safety, m.mirroring_partner_instance AS partner FROM sys.database_mirroring AS m WHERE m.database_id > 4'
$sql['replicas'] = 'SELECT s.database_id, CAST(s.is_local AS int) AS own, CAST(s.synchronization_state AS int) AS state,
    CAST(s.is_suspended AS int) AS suspended, r.replica_server_name AS server,
    CAST(r.availability_mode AS int) AS mode, g.name AS grp, CAST(a.role AS int) AS role
    FROM sys.dm_hadr_database_replica_states AS s
    LEFT JOIN sys.availability_replicas AS r ON r.replica_id = s.replica_id
    LEFT JOIN sys.availability_groups AS g ON g.group_id = s.group_id
    LEFT JOIN sys.dm_hadr_availability_replica_states AS a ON a.replica_id = s.replica_id'
$sql['grouped'] = 'SELECT d.database_id FROM sys.databases AS d WHERE d.replica_id IS NOT NULL'
$sql['sessions'] = 'SELECT DISTINCT TOP 2000 CAST(p.dbid AS int) AS database_id, RTRIM(p.hostname) AS host,
    RTRIM(p.program_name) AS program FROM sys.sysprocesses AS p WHERE p.dbid > 4 AND p.hostname <> '''' AND p.program_name <> ''preflight'''
$sql['backups'] = 'SELECT b.database_name, b.type, CAST(b.is_copy_only AS int) AS copy_only,
    CAST(b.is_snapshot AS int) AS snapshot, CAST(b.is_damaged AS int) AS damaged,
    CONVERT(nvarchar(30), b.backup_finish_date, 126) AS finished, CAST(b.backup_size AS bigint) AS size_bytes,
    b.server_name, f.physical_device_name AS device
    FROM (SELECT s.*, ROW_NUMBER() OVER (PARTITION BY s.database_name, s.type, s.is_copy_only, s.server_name
            ORDER BY s.backup_finish_date DESC, s.backup_set_id DESC) AS place
        FROM msdb.dbo.backupset AS s
        WHERE s.type IN (''D'', ''I'', ''L'') AND s.backup_finish_date > DATEADD(day, -400, GETDATE())) AS b
    LEFT JOIN msdb.dbo.backupmediafamily AS f
        ON f.media_set_id = b.media_set_id AND f.family_sequence_number = 1 AND f.mirror = 0
    WHERE b.place = 1'
$declared = [string]$PfOption['sql_database']
$wanted = [string]$PfOption['sql_instance']
$ends = (Get-PfClock) + 20000
$found = @()
foreach ($instance in @(Get-PfSqlInstances)) {
    $name = $instance['name']
    # The Windows Internal Database of another role takes no such login.
    if ($found.Count -ge 8 -or ($wanted -ne '' -and $name -ne $wanted) -or ($wanted -eq '' -and $name.StartsWith('MICROSOFT##'))) {
        continue
    }
    $cluster = Get-PfSqlClusterName $instance
    $port = Get-PfSqlPort $instance
    $service = ''
    $endpoint = '.'
    $other = ''
    if ($port -ne '') {
        # By name it goes through shared memory, pipes or SQL Server Browser, each of which may be switched off.
        $other = '127.0.0.1,' + $port
    }
    if ($cluster -ne '') {
        # A failover cluster instance listens on its virtual name alone, and runs on one of its hosts at a time.
        $endpoint = $cluster
        $service = Get-PfSqlServiceState $name
        if ($port -ne '') {
            $other = $cluster + ',' + $port
        }
    }
    if ($name -ne 'MSSQLSERVER') {
        $endpoint = $endpoint + '\' + $name
    }
    $session = @{ endpoint = $endpoint; user = [string]$PfOption['sql_user']; ends = $ends }
    $answers = @{ server = @{ rows = @(); error = 'passive: the service does not run on this host' } }
    if ($service -ne 'Stopped') {
        $answers['server'] = Read-PfSql $session 'master' $sql['server']
        if ($answers['server']['error'] -ne '' -and -not $answers['server']['error'].StartsWith('sql 18') -and $other -ne '') {
            $session['endpoint'] = $other
            $answers['server'] = Read-PfSql $session 'master' $sql['server']
        }
    }
    $versions = @()
    if ($answers['server']['error'] -eq '') {
        $server = @($answers['server']['rows'])[0]
        foreach ($question in @('databases', 'mirroring', 'sessions', 'backups')) {
            $answers[$question] = Read-PfSql $session 'master' $sql[$question]
        }
        if ($server['hadr'] -eq 1) {
            foreach ($question in @('grouped', 'replicas')) {
                $answers[$question] = Read-PfSql $session 'master' $sql[$question]
            }
        }
        foreach ($database in @($answers['databases']['rows'])) {
            $likely = $null -ne $database['table_id']
            if ($declared -ne '') {
                $likely = $database['name'] -eq $declared -and $database['state'] -eq 'ONLINE'
            }
            if ($likely -and $versions.Count -lt 5) {
                $said = Read-PfSql $session $database['name'] $sql['versions']
                $versions += @{ database_id = $database['database_id']; rows = $said['rows']; error = $said['error'] }
            }
        }
    }
    $said = @{ name = $name; endpoint = $session['endpoint']; answers = $answers; versions = $versions }
    $said['cluster'] = $cluster
    $said['service'] = $service
    $found += $said
}
$computer = Get-PfComputerName
return @{ computer = $computer; declared = $declared; instance = $wanted; login = [string]$PfOption['sql_user']; instances = $found }
