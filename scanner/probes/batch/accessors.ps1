# The only contacts with Windows; all of them read. What else is sent is plain language over these functions.
# Each throws "kind: what: message", where kind is missing, denied, locked, blocked or unreadable; WMI and SQL Server
# throw their numbers in its place. Messages come in the language of Windows: nothing is recognised by them.
# PowerShell gives $null for a property of .NET that throws, so one that can fail is read as the method that it is.
# PowerShell 2.0 on CLR 2. Functions that give several values emit them one by one: callers wrap them in @(). What gives
# nothing is never cast: [string](nothing) is $null, and so is [string]$x where $x = nothing.

# Milliseconds since the script began, the same in every run of the probes.
function Get-PfClock {
    return $PfStopwatch.ElapsedMilliseconds
}

# What is waited for from here on, so that the watch can tell it. What has blocked before is refused at once: a file
# by its path, a share by its server. A run of the probes that the watch has given up does nothing more.
function Enter-PfAccess([string]$What) {
    if ($PfWatch['turn'] -ne $PfTurn) {
        throw 'given up'
    }
    if ($PfWatch['refused'].Count -gt 0) {
        $seconds = $PfWatch['refused'][(Get-PfBlockedName $What)]
        if ($null -ne $seconds) {
            throw ('blocked: ' + $What + ': no answer within ' + $seconds + ' s')
        }
    }
    $PfWatch['access'] = @{ what = $What; since = (Get-PfClock) }
}

function Exit-PfAccess {
    if ($PfWatch['turn'] -eq $PfTurn) {
        $PfWatch['access'] = $null
    }
}

function Get-PfBlockedName([string]$What) {
    $name = $What.ToLowerInvariant()
    if ($name.StartsWith('\\', [System.StringComparison]::Ordinal)) {
        return '\\' + $name.Substring(2).Split('\')[0]
    }
    return $name
}

# The programs that this very process has started, and theirs: nothing of a scan stays on the node. Whose child a process
# is, Windows PowerShell does not tell; newer ones have no WMI.
function Stop-PfDescendants {
    $own = [System.Diagnostics.Process]::GetCurrentProcess()
    $parents = @{}
    try {
        $query = New-Object System.Management.ManagementObjectSearcher('SELECT ProcessId, ParentProcessId FROM Win32_Process')
        foreach ($row in $query.Get()) {
            $parents[[int]$row.GetPropertyValue('ProcessId')] = [int]$row.GetPropertyValue('ParentProcessId')
        }
    } catch {
        foreach ($process in [System.Diagnostics.Process]::GetProcesses()) {
            if ($null -ne $process.Parent) {
                $parents[$process.Id] = $process.Parent.Id
            }
        }
    }
    $ours = New-Object System.Collections.ArrayList
    [void]$ours.Add($own.Id)
    for ($at = 0; $at -lt $ours.Count; $at = $at + 1) {
        foreach ($id in @($parents.Keys)) {
            if ($parents[$id] -eq $ours[$at] -and -not $ours.Contains($id)) {
                [void]$ours.Add($id)
                try {
                    $process = [System.Diagnostics.Process]::GetProcessById($id)
                    # A number is used again: what is older than this process is no child of it.
                    if ($process.StartTime -ge $own.StartTime) {
                        $process.Kill()
                    }
                } catch {
                    continue
                }
            }
        }
    }
}

# The end of this process, although calls in it never return.
function Stop-PfProcess {
    [System.Environment]::Exit(0)
}

# The time of day in UTC: 100 ns since the year 1.
function Get-PfTicks {
    return [System.DateTime]::UtcNow.Ticks
}

function Get-PfErrorKind($Record) {
    $cause = $Record.Exception
    while ($null -ne $cause.InnerException) {
        $cause = $cause.InnerException
    }
    if ($cause -is [System.UnauthorizedAccessException] -or $cause -is [System.Security.SecurityException]) {
        return 'denied'
    }
    if ($cause -is [System.IO.FileNotFoundException] -or $cause -is [System.IO.DirectoryNotFoundException]) {
        return 'missing'
    }
    if ($cause -is [System.IO.IOException]) {
        # 32 is a sharing violation, 33 a locked range. HResult is not public on CLR 2.
        $code = [System.Runtime.InteropServices.Marshal]::GetHRForException($cause) -band 0xFFFF
        if ($code -eq 32 -or $code -eq 33) {
            return 'locked'
        }
    }
    return 'unreadable'
}

function Stop-PfAccess([string]$What, $Record) {
    $cause = $Record.Exception
    while ($null -ne $cause.InnerException) {
        $cause = $cause.InnerException
    }
    throw ((Get-PfErrorKind $Record) + ': ' + $What + ': ' + $cause.Message)
}

# WMI's own error is no COM error, and its number another property.
function Stop-PfWmi([string]$Namespace, $Record) {
    $cause = $Record.Exception
    while ($null -ne $cause.InnerException) {
        $cause = $cause.InnerException
    }
    $code = [System.Runtime.InteropServices.Marshal]::GetHRForException($cause)
    if ($cause.GetType().Name -eq 'ManagementException') {
        $code = [int]$cause.ErrorCode
    }
    throw ('wmi 0x' + $code.ToString('X8') + ': ' + $Namespace + ': ' + $cause.Message)
}

function Test-PfWow64 {
    return ([System.IntPtr]::Size -eq 4 -and [string]$env:PROCESSOR_ARCHITEW6432 -ne '')
}

# The 64-bit registry, whatever the process: Key is 'HKLM\...'. Nothing where there is no such key.
function Open-PfRegistryKey([string]$Key) {
    $hive = [Microsoft.Win32.Registry]::LocalMachine
    try {
        if (Test-PfWow64) {
            if ($null -eq ('Microsoft.Win32.RegistryView' -as [type])) {
                throw 'a 32-bit PowerShell on CLR 2 does not see the 64-bit registry'
            }
            $hive = [Microsoft.Win32.RegistryKey]::OpenBaseKey([Microsoft.Win32.RegistryHive]::LocalMachine, 'Registry64')
        }
        return $hive.OpenSubKey($Key.Substring(5))
    } catch {
        Stop-PfAccess $Key $_
    }
}

# Nothing where the key or the value is missing.
function Get-PfRegistryValue([string]$Key, [string]$Name) {
    $opened = Open-PfRegistryKey $Key
    if ($null -eq $opened) {
        return
    }
    try {
        return $opened.GetValue($Name)
    } catch {
        Stop-PfAccess $Key $_
    } finally {
        $opened.Close()
    }
}

# A value as text; empty where it is missing.
function Get-PfRegistryText([string]$Key, [string]$Name) {
    $value = Get-PfRegistryValue $Key $Name
    if ($null -eq $value) {
        return ''
    }
    return [string]$value
}

# A binary value as hex digits; empty where it is missing or something else.
function Get-PfRegistryHex([string]$Key, [string]$Name) {
    $bytes = @(Get-PfRegistryValue $Key $Name)
    if ($bytes.Count -gt 0 -and $bytes[0] -is [byte]) {
        return [System.BitConverter]::ToString([byte[]]$bytes).Replace('-', '')
    }
    return ''
}

function Test-PfRegistryKey([string]$Key) {
    $opened = Open-PfRegistryKey $Key
    if ($null -eq $opened) {
        return $false
    }
    $opened.Close()
    return $true
}

function Get-PfRegistryValueNames([string]$Key) {
    $opened = Open-PfRegistryKey $Key
    if ($null -eq $opened) {
        return
    }
    try {
        foreach ($name in $opened.GetValueNames()) {
            $name
        }
    } catch {
        Stop-PfAccess $Key $_
    } finally {
        $opened.Close()
    }
}

# A number: 0x10 is a folder, 0x4000 is EFS. Nothing where there is no such file or folder.
function Get-PfFileAttributes([string]$Path) {
    Enter-PfAccess $Path
    try {
        return [int][System.IO.File]::GetAttributes($Path)
    } catch {
        if ((Get-PfErrorKind $_) -ne 'missing') {
            Stop-PfAccess $Path $_
        }
    } finally {
        Exit-PfAccess
    }
}

# Shares everything, so that the application is not disturbed.
function Open-PfFile([string]$Path) {
    Enter-PfAccess $Path
    try {
        $share = [System.IO.FileShare]'ReadWrite, Delete'
        return [System.IO.File]::Open($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, $share)
    } catch {
        Exit-PfAccess
        Stop-PfAccess $Path $_
    }
}

function Close-PfFile($Stream) {
    $Stream.Close()
    Exit-PfAccess
}

# The whole of a file, as bytes.
function Get-PfFileBytes([string]$Path) {
    $stream = Open-PfFile $Path
    try {
        $size = $stream.get_Length()
        if ($size -gt 16777216) {
            throw 'larger than 16 MB'
        }
        $buffer = New-Object 'byte[]' $size
        $have = 0
        while ($have -lt $size) {
            $got = $stream.Read($buffer, $have, $size - $have)
            if ($got -le 0) {
                throw 'it became shorter while it was read'
            }
            $have = $have + $got
        }
        return , $buffer
    } catch {
        Stop-PfAccess $Path $_
    } finally {
        Close-PfFile $stream
    }
}

# FIPS forbids SHA256Managed; the other lies in System.Core, which a bare CLR 2 may lack. It is looked for once.
$PfLoaded = @{}
function New-PfSha256 {
    try {
        if (-not $PfLoaded.ContainsKey('System.Core')) {
            $PfLoaded['System.Core'] = $true
            [void][System.Reflection.Assembly]::LoadWithPartialName('System.Core')
        }
        return New-Object System.Security.Cryptography.SHA256CryptoServiceProvider
    } catch {
        return New-Object System.Security.Cryptography.SHA256Managed
    }
}

# SHA-256 as 64 lower-case hex digits; the content itself goes nowhere.
function Get-PfFileHash([string]$Path) {
    $stream = Open-PfFile $Path
    try {
        $algorithm = New-PfSha256
        if (-not $PfLoaded.ContainsKey('buffer')) {
            $PfLoaded['buffer'] = New-Object 'byte[]' 1048576
        }
        $buffer = $PfLoaded['buffer']
        while ($true) {
            $got = $stream.Read($buffer, 0, $buffer.Length)
            if ($got -le 0) {
                break
            }
            [void]$algorithm.TransformBlock($buffer, 0, $got, $buffer, 0)
            # A large file is read for long without blocking.
            Enter-PfAccess $Path
        }
        [void]$algorithm.TransformFinalBlock($buffer, 0, 0)
        return [System.BitConverter]::ToString($algorithm.Hash).Replace('-', '').ToLowerInvariant()
    } catch {
        Stop-PfAccess $Path $_
    } finally {
        Close-PfFile $stream
    }
}

# The same of a file that the application opens now and then for itself: where it is locked, for a second.
function Get-PfBusyFileHash([string]$Path) {
    $attempt = 1
    while ($true) {
        try {
            return Get-PfFileHash $Path
        } catch {
            $problem = Get-PfErrorText $_
            if ($attempt -ge 4 -or (Get-PfTextKind $problem) -ne 'locked') {
                throw $problem
            }
        }
        $attempt = $attempt + 1
        Start-Sleep -Milliseconds 300
    }
}

function Get-PfTextHash([string]$Text) {
    $algorithm = New-PfSha256
    $digest = $algorithm.ComputeHash([System.Text.Encoding]::UTF8.GetBytes($Text))
    return [System.BitConverter]::ToString($digest).Replace('-', '').ToLowerInvariant()
}

function Get-PfFileSize([string]$Path) {
    Enter-PfAccess $Path
    try {
        $info = New-Object System.IO.FileInfo($Path)
        return $info.get_Length()
    } catch {
        Stop-PfAccess $Path $_
    } finally {
        Exit-PfAccess
    }
}

# When a file or folder was written to and made, in UTC: 100 ns since the year 1. Of what is gone, Windows says 1601.
function Get-PfFileTimes([string]$Path) {
    Enter-PfAccess $Path
    try {
        $written = [System.IO.File]::GetLastWriteTimeUtc($Path).Ticks
        if ($written -gt 504911232000000000) {
            return @{ written = $written; created = [System.IO.File]::GetCreationTimeUtc($Path).Ticks }
        }
    } catch {
        Stop-PfAccess $Path $_
    } finally {
        Exit-PfAccess
    }
    throw ('missing: ' + $Path + ': it has no time, so it is gone')
}

# A piece of a file as a text of one character per byte; shorter where the file ends before.
function Get-PfFilePiece([string]$Path, [long]$Offset, [int]$Count) {
    $stream = Open-PfFile $Path
    try {
        [void]$stream.Seek($Offset, [System.IO.SeekOrigin]::Begin)
        $buffer = New-Object 'byte[]' $Count
        $have = 0
        while ($have -lt $Count) {
            $got = $stream.Read($buffer, $have, $Count - $have)
            if ($got -le 0) {
                break
            }
            $have = $have + $got
        }
        return [System.Text.Encoding]::GetEncoding(28591).GetString($buffer, 0, $have)
    } catch {
        Stop-PfAccess $Path $_
    } finally {
        Close-PfFile $stream
    }
}

# The version resource as numbers, which hold 16 bits each, and as text, which has to be in a language that Windows
# finds; each empty where the file carries none. Of a file that cannot be opened, Windows gives an empty one as well.
function Get-PfFileVersion([string]$Path) {
    Enter-PfAccess $Path
    $numbers = ''
    $text = ''
    try {
        $info = [System.Diagnostics.FileVersionInfo]::GetVersionInfo($Path)
        $parts = @($info.FileMajorPart, $info.FileMinorPart, $info.FileBuildPart, $info.FilePrivatePart)
        if (($parts -join '') -ne '0000') {
            $numbers = $parts -join '.'
        }
        if ($null -ne $info.FileVersion) {
            $text = [string]$info.FileVersion
        }
    } catch {
        Stop-PfAccess $Path $_
    } finally {
        Exit-PfAccess
    }
    if ($numbers -eq '' -and $text -eq '') {
        $stream = Open-PfFile $Path
        Close-PfFile $stream
    }
    return @{ numbers = $numbers; text = $text }
}

# To Windows, a bare "D:" is wherever on that drive the process happens to be: hence the separator, here and below.
function Get-PfFileNames([string]$Folder, [string]$Pattern) {
    Enter-PfAccess $Folder
    try {
        foreach ($path in [System.IO.Directory]::GetFiles($Folder + [System.IO.Path]::DirectorySeparatorChar, $Pattern)) {
            [System.IO.Path]::GetFileName($path)
        }
    } catch {
        Stop-PfAccess $Folder $_
    } finally {
        Exit-PfAccess
    }
}

# The fixed drives that have letters.
# The free space is that of the drive, the total what a disk quota leaves of it for this account.
function Get-PfDrives {
    Enter-PfAccess 'the drives'
    try {
        foreach ($drive in [System.IO.DriveInfo]::GetDrives()) {
            if ($drive.DriveType -eq 'Fixed' -and $drive.IsReady) {
                @{ name = $drive.Name; total_bytes = $drive.get_TotalSize(); free_bytes = $drive.get_TotalFreeSpace() }
            }
        }
    } catch {
        Stop-PfAccess 'the drives' $_
    } finally {
        Exit-PfAccess
    }
}

# TCP connections, all tried at the same time and closed at once: nothing is sent over them. IPv4 alone.
function Get-PfConnections($Targets, [int]$Milliseconds) {
    $until = (Get-PfClock) + $Milliseconds
    $attempts = @()
    foreach ($target in $Targets) {
        $client = New-Object System.Net.Sockets.TcpClient
        $attempt = @{ target = $target; client = $client; pending = $null; record = $null }
        try {
            $attempt['pending'] = $client.BeginConnect($target['host'], $target['port'], $null, $null)
        } catch {
            $attempt['record'] = $_
        }
        $attempts += $attempt
    }
    foreach ($attempt in $attempts) {
        $client = $attempt['client']
        $given = @{ host = $attempt['target']['host']; port = $attempt['target']['port']; state = 'silent'; code = 0; detail = '' }
        try {
            if ($null -ne $attempt['pending']) {
                $left = [int][System.Math]::Max([long]0, $until - (Get-PfClock))
                if ($attempt['pending'].AsyncWaitHandle.WaitOne($left, $false)) {
                    $client.EndConnect($attempt['pending'])
                    $given['state'] = 'open'
                }
            }
        } catch {
            $attempt['record'] = $_
        }
        if ($null -ne $attempt['record']) {
            $cause = $attempt['record'].Exception
            while ($null -ne $cause.InnerException) {
                $cause = $cause.InnerException
            }
            $given['state'] = 'refused'
            $given['detail'] = $cause.Message
            if ($cause -is [System.Net.Sockets.SocketException]) {
                $given['code'] = $cause.ErrorCode
            }
        }
        $client.Close()
        $given
    }
}

# TCP connections that stand, as the machine's own table has them; of many from one port to one address, one.
function Get-PfTcpConnections {
    Enter-PfAccess 'the TCP connections'
    try {
        $known = @{}
        $table = [System.Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties()
        foreach ($row in $table.GetActiveTcpConnections()) {
            $local = $row.LocalEndPoint
            $remote = $row.RemoteEndPoint
            $peer = $remote.Address.ToString() + ' ' + $remote.Port
            if ([string]$row.State -eq 'Established' -and $known.Count -lt 2000 -and -not $known.ContainsKey($peer)) {
                $known[$peer] = $true
                @{ local = $local.Address.ToString(); local_port = $local.Port; remote = $remote.Address.ToString(); remote_port = $remote.Port }
            }
        }
    } catch {
        Stop-PfAccess 'the TCP connections' $_
    } finally {
        Exit-PfAccess
    }
}

# GetState only asks: 0 starting, 1 started, 2 stopping, 3 stopped, 4 unknown. The namespace refuses less than privacy.
function Get-PfPoolStates {
    Enter-PfAccess 'WMI root\WebAdministration'
    try {
        $scope = New-Object System.Management.ManagementScope('root\WebAdministration')
        $scope.Options.Authentication = 'PacketPrivacy'
        $query = New-Object System.Management.ObjectQuery('SELECT * FROM ApplicationPool')
        $searcher = New-Object System.Management.ManagementObjectSearcher($scope, $query)
        foreach ($pool in $searcher.Get()) {
            Enter-PfAccess 'WMI root\WebAdministration'
            @{ name = [string]$pool.GetPropertyValue('Name'); state = [int]$pool.InvokeMethod('GetState', $null) }
        }
    } catch {
        Stop-PfWmi 'root\WebAdministration' $_
    } finally {
        Exit-PfAccess
    }
}

# Rows of what Windows tells of itself over WMI; the texts of its states are the same in every language.
function Get-PfWmiRows([string]$Query, $Names) {
    Enter-PfAccess 'WMI root\cimv2'
    try {
        $scope = New-Object System.Management.ManagementScope('root\cimv2')
        $searcher = New-Object System.Management.ManagementObjectSearcher(
            $scope, (New-Object System.Management.ObjectQuery($Query)))
        foreach ($found in $searcher.Get()) {
            $row = @{}
            foreach ($name in $Names) {
                $row[$name] = $found.GetPropertyValue($name)
            }
            $row
        }
    } catch {
        Stop-PfWmi 'root\cimv2' $_
    } finally {
        Exit-PfAccess
    }
}

function Get-PfFolderNames([string]$Folder) {
    Enter-PfAccess $Folder
    try {
        foreach ($path in [System.IO.Directory]::GetDirectories($Folder + [System.IO.Path]::DirectorySeparatorChar)) {
            [System.IO.Path]::GetFileName($path)
        }
    } catch {
        Stop-PfAccess $Folder $_
    } finally {
        Exit-PfAccess
    }
}

# The rows of one SELECT, asked of an instance on this very host, each a hashtable by column.
# With a user, its password comes from this process's environment, in Base64 of UTF-8, or from what a remote session was
# opened with, whose process may be shared: it stands in no script, and it is handed to no cmdlet and no function, whose
# arguments PowerShell can be told to log. Throws "sql NUMBER: where: message".
function Get-PfSqlRows([string]$Server, [string]$Database, [string]$User, [string]$Query) {
    if (-not [System.Text.RegularExpressions.Regex]::IsMatch($Query, '^SELECT [^;]*$')) {
        throw 'unreadable: SQL Server: only a single SELECT may be asked'
    }
    Enter-PfAccess ('SQL Server ' + $Server)
    $connection = $null
    try {
        [void][System.Reflection.Assembly]::LoadWithPartialName('System.Data')
        $settings = New-Object System.Data.SqlClient.SqlConnectionStringBuilder
        $settings['Data Source'] = $Server
        $settings['Initial Catalog'] = $Database
        $settings['Connect Timeout'] = 5
        $settings['Application Name'] = 'preflight'
        if ($User -eq '') {
            $settings['Integrated Security'] = $true
        } else {
            $settings['User ID'] = $User
            $secret = [System.Environment]::GetEnvironmentVariable('PREFLIGHT_SQL_PASSWORD')
            if ($null -ne $PfArguments) {
                $secret = $PfArguments['PREFLIGHT_SQL_PASSWORD']
            }
            $settings['Password'] = [System.Text.Encoding]::UTF8.GetString([System.Convert]::FromBase64String($secret))
        }
        $connection = New-Object System.Data.SqlClient.SqlConnection
        $connection.ConnectionString = $settings.ToString()
        $connection.Open()
        Enter-PfAccess ('SQL Server ' + $Server)
        $command = $connection.CreateCommand()
        $command.CommandText = $Query
        $command.CommandTimeout = 5
        $reader = $command.ExecuteReader()
        $count = 0
        while ($reader.Read()) {
            Enter-PfAccess ('SQL Server ' + $Server)
            $count = $count + 1
            if ($count -gt 5000) {
                throw 'more than 5000 rows'
            }
            $row = @{}
            for ($column = 0; $column -lt $reader.FieldCount; $column = $column + 1) {
                $row[$reader.GetName($column)] = $null
                if (-not $reader.IsDBNull($column)) {
                    $row[$reader.GetName($column)] = $reader.GetValue($column)
                }
            }
            $row
        }
    } catch {
        # SQL Server's own error stands between PowerShell's wrapping of it and what Windows said below it.
        $cause = $_.Exception
        while ($null -ne $cause.InnerException -and $cause.GetType().Name -ne 'SqlException') {
            $cause = $cause.InnerException
        }
        $number = 0
        if ($cause.GetType().Name -eq 'SqlException') {
            $number = $cause.Number
        }
        throw ('sql ' + $number + ': ' + $Server + ': ' + $cause.Message)
    } finally {
        if ($null -ne $connection) {
            $connection.Close()
        }
        Exit-PfAccess
    }
}

function Expand-PfEnvironment([string]$Text) {
    return [System.Environment]::ExpandEnvironmentVariables($Text)
}

function Get-PfSystemFolder {
    if (Test-PfWow64) {
        return Expand-PfEnvironment '%windir%\sysnative'
    }
    return Expand-PfEnvironment '%windir%\System32'
}

# One write to standard output: over WinRM, each write can cost a round trip. A remote session has no standard output,
# and what a function gives there goes to the client, unless its caller keeps it.
function Write-PfOutput([string]$Text) {
    if (Test-PfRemoteSession) {
        return $Text
    }
    $bytes = [System.Text.Encoding]::ASCII.GetBytes($Text + "`r`n")
    $stdout = [System.Console]::OpenStandardOutput()
    $stdout.Write($bytes, 0, $bytes.Length)
    $stdout.Flush()
}

# Whether this is a session of PowerShell remoting, in a process that belongs to WinRM.
function Test-PfRemoteSession {
    return ([string]$Host.Name -eq 'ServerRemoteHost')
}
