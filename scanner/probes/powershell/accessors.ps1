# The only contacts with Windows; all of them read. What else is sent is plain language over these functions.
# Each throws "kind: what: message", where kind is missing, denied, locked or unreadable.
# PowerShell gives $null for a property of .NET that throws, so one that can fail is read as the method that it is.
# PowerShell 2.0 on CLR 2. Functions that give several values emit them one by one: callers wrap them in @().

$PfStopwatch = [System.Diagnostics.Stopwatch]::StartNew()

function Get-PfClock {
    return $PfStopwatch.ElapsedMilliseconds
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

# A binary value as hex digits; nothing where it is missing or something else.
function Get-PfRegistryHex([string]$Key, [string]$Name) {
    $bytes = @(Get-PfRegistryValue $Key $Name)
    if ($bytes.Count -gt 0 -and $bytes[0] -is [byte]) {
        return [System.BitConverter]::ToString([byte[]]$bytes).Replace('-', '')
    }
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
    try {
        return [int][System.IO.File]::GetAttributes($Path)
    } catch {
        if ((Get-PfErrorKind $_) -ne 'missing') {
            Stop-PfAccess $Path $_
        }
    }
}

# Shares everything, so that the application is not disturbed; a locked file is tried for a second.
function Open-PfFile([string]$Path) {
    $attempt = 0
    while ($true) {
        try {
            $share = [System.IO.FileShare]'ReadWrite, Delete'
            return [System.IO.File]::Open($Path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, $share)
        } catch {
            $attempt = $attempt + 1
            if ($attempt -ge 4 -or (Get-PfErrorKind $_) -ne 'locked') {
                Stop-PfAccess $Path $_
            }
        }
        Start-Sleep -Milliseconds 300
    }
}

function Get-PfFileText([string]$Path) {
    $stream = Open-PfFile $Path
    try {
        if ($stream.get_Length() -gt 16777216) {
            throw 'larger than 16 MB'
        }
        $reader = New-Object System.IO.StreamReader($stream)
        return $reader.ReadToEnd()
    } catch {
        Stop-PfAccess $Path $_
    } finally {
        $stream.Close()
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
        $digest = $algorithm.ComputeHash($stream)
        return [System.BitConverter]::ToString($digest).Replace('-', '').ToLowerInvariant()
    } catch {
        Stop-PfAccess $Path $_
    } finally {
        $stream.Close()
    }
}

function Get-PfTextHash([string]$Text) {
    $algorithm = New-PfSha256
    $digest = $algorithm.ComputeHash([System.Text.Encoding]::UTF8.GetBytes($Text))
    return [System.BitConverter]::ToString($digest).Replace('-', '').ToLowerInvariant()
}

function Get-PfFileSize([string]$Path) {
    try {
        $info = New-Object System.IO.FileInfo($Path)
        return $info.get_Length()
    } catch {
        Stop-PfAccess $Path $_
    }
}

# When a file or folder was written to and made, in UTC: 100 ns since the year 1.
function Get-PfFileTimes([string]$Path) {
    try {
        $written = [System.IO.File]::GetLastWriteTimeUtc($Path).Ticks
        return @{ written = $written; created = [System.IO.File]::GetCreationTimeUtc($Path).Ticks }
    } catch {
        Stop-PfAccess $Path $_
    }
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
        $stream.Close()
    }
}

# The version resource as four numbers; empty where the file carries none.
function Get-PfFileVersion([string]$Path) {
    try {
        $info = [System.Diagnostics.FileVersionInfo]::GetVersionInfo($Path)
        if ([string]$info.FileVersion -eq '') {
            return ''
        }
        return '{0}.{1}.{2}.{3}' -f $info.FileMajorPart, $info.FileMinorPart, $info.FileBuildPart, $info.FilePrivatePart
    } catch {
        Stop-PfAccess $Path $_
    }
}

# To Windows, a bare "D:" is wherever on that drive the process happens to be: hence the separator, here and below.
function Get-PfFileNames([string]$Folder, [string]$Pattern) {
    try {
        foreach ($path in [System.IO.Directory]::GetFiles($Folder + [System.IO.Path]::DirectorySeparatorChar, $Pattern)) {
            [System.IO.Path]::GetFileName($path)
        }
    } catch {
        Stop-PfAccess $Folder $_
    }
}

# The fixed drives that have letters.
function Get-PfDrives {
    try {
        foreach ($drive in [System.IO.DriveInfo]::GetDrives()) {
            if ($drive.DriveType -eq 'Fixed' -and $drive.IsReady) {
                @{ name = $drive.Name; total_bytes = $drive.get_TotalSize(); free_bytes = $drive.get_TotalFreeSpace() }
            }
        }
    } catch {
        Stop-PfAccess 'the drives' $_
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
        $given = @{ host = $attempt['target']['host']; port = $attempt['target']['port']; state = 'silent'; detail = '' }
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
            # 11001 to 11004: there is no such host, or no address of it.
            if ($cause -is [System.Net.Sockets.SocketException] -and $cause.ErrorCode -ge 11001 -and $cause.ErrorCode -le 11004) {
                $given['state'] = 'unresolved'
            }
        }
        $client.Close()
        $given
    }
}

# GetState only asks: 0 starting, 1 started, 2 stopping, 3 stopped, 4 unknown. The namespace refuses less than privacy.
function Get-PfPoolStates {
    try {
        $scope = New-Object System.Management.ManagementScope('root\WebAdministration')
        $scope.Options.Authentication = 'PacketPrivacy'
        $query = New-Object System.Management.ObjectQuery('SELECT * FROM ApplicationPool')
        $searcher = New-Object System.Management.ManagementObjectSearcher($scope, $query)
        foreach ($pool in $searcher.Get()) {
            @{ name = [string]$pool.GetPropertyValue('Name'); state = [int]$pool.InvokeMethod('GetState', $null) }
        }
    } catch {
        Stop-PfAccess 'WMI root\WebAdministration' $_
    }
}

# Rows of what Windows tells of itself over WMI; the texts of its states are the same in every language.
function Get-PfWmiRows([string]$Query, $Names) {
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
        Stop-PfAccess 'WMI root\cimv2' $_
    }
}

function Get-PfFolderNames([string]$Folder) {
    try {
        foreach ($path in [System.IO.Directory]::GetDirectories($Folder + [System.IO.Path]::DirectorySeparatorChar)) {
            [System.IO.Path]::GetFileName($path)
        }
    } catch {
        Stop-PfAccess $Folder $_
    }
}

# The rows of one SELECT, asked of an instance on this very host, each a hashtable by column.
# With a user, its password comes from this process's environment, in Base64 of UTF-8: it stands in no script, and it is
# handed to no cmdlet and no function, whose arguments PowerShell can be told to log. Throws "sql NUMBER: where: message".
function Get-PfSqlRows([string]$Server, [string]$Database, [string]$User, [string]$Query) {
    if (-not [System.Text.RegularExpressions.Regex]::IsMatch($Query, '^SELECT [^;]*$')) {
        throw 'unreadable: SQL Server: only a single SELECT may be asked'
    }
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
            $settings['Password'] = [System.Text.Encoding]::UTF8.GetString([System.Convert]::FromBase64String(
                [System.Environment]::GetEnvironmentVariable('PREFLIGHT_SQL_PASSWORD')))
        }
        $connection = New-Object System.Data.SqlClient.SqlConnection
        $connection.ConnectionString = $settings.ToString()
        $connection.Open()
        $command = $connection.CreateCommand()
        $command.CommandText = $Query
        $command.CommandTimeout = 5
        $reader = $command.ExecuteReader()
        $count = 0
        while ($reader.Read()) {
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

# One write to standard output: over WinRM, each write can cost a round trip.
function Write-PfOutput([string]$Text) {
    $bytes = [System.Text.Encoding]::ASCII.GetBytes($Text + "`r`n")
    $stdout = [System.Console]::OpenStandardOutput()
    $stdout.Write($bytes, 0, $bytes.Length)
    $stdout.Flush()
}
