# Where the inventory names a folder of backups, the newest counts. Of a zip only its end and its list of contents are
# read, in bounds; of that list nothing leaves the node but where encryption.config stands in it.

function Read-PfNumber([string]$Text, [int]$At, [int]$Count) {
    $value = [long]0
    for ($index = $Count - 1; $index -ge 0; $index = $index - 1) {
        $value = $value * 256 + [int]$Text[$At + $index]
    }
    return $value
}

function Find-PfZipEntries([string]$List, [string]$Name) {
    $mark = 'PK' + [char]1 + [char]2
    $at = $List.IndexOf($Name, [System.StringComparison]::OrdinalIgnoreCase)
    while ($at -ge 0) {
        $record = $List.LastIndexOf($mark, $at, [System.StringComparison]::Ordinal)
        if ($record -ge 0 -and $record + 46 -le $at) {
            $length = Read-PfNumber $List ($record + 28) 2
            $before = '/'
            if ($at -gt $record + 46) {
                $before = [string]$List[$at - 1]
            }
            if ($record + 46 + $length -eq $at + $Name.Length -and ($before -eq '/' -or $before -eq '\')) {
                $path = $List.Substring($record + 46, [int]$length)
                # Names are in UTF-8 where the record says so; elsewhere nobody can tell.
                if (((Read-PfNumber $List ($record + 8) 2) -band 0x800) -ne 0) {
                    $path = [System.Text.Encoding]::UTF8.GetString([System.Text.Encoding]::GetEncoding(28591).GetBytes($path))
                }
                @{ path = $path; state = 'listed'; size_bytes = (Read-PfNumber $List ($record + 24) 4) }
            }
        }
        $at = $List.IndexOf($Name, $at + 1, [System.StringComparison]::OrdinalIgnoreCase)
    }
}

# The record that a zip ends in, which says where its list of contents lies. A comment stands behind it and may hold
# anything, such a record as well: the true one has a comment that ends with the file, and the list right before it.
function Find-PfZipEnd([string]$Text, [long]$Before) {
    $mark = 'PK' + [char]5 + [char]6
    $likely = -1
    $at = $Text.LastIndexOf($mark, [System.StringComparison]::Ordinal)
    while ($at -ge 0) {
        if ($at + 22 -le $Text.Length) {
            $whole = $at + 22 + (Read-PfNumber $Text ($at + 20) 2) -eq $Text.Length
            $lies = (Read-PfNumber $Text ($at + 16) 4) + (Read-PfNumber $Text ($at + 12) 4)
            $large = $at -ge 20 -and [string]::CompareOrdinal($Text, $at - 20, ('PK' + [char]6 + [char]7), 0, 4) -eq 0
            if ($whole -and ($large -or $lies -eq $Before + $at)) {
                return $at
            }
            if ($likely -lt 0) {
                $likely = $at
            }
        }
        if ($at -eq 0) {
            break
        }
        $at = $Text.LastIndexOf($mark, $at - 1, [System.StringComparison]::Ordinal)
    }
    return $likely
}

# Whether a library of the application's is in the list: any .dll right in a folder called bin.
function Test-PfZipLibrary([string]$List) {
    foreach ($folder in @('bin/', 'bin\')) {
        $at = $List.IndexOf($folder, [System.StringComparison]::OrdinalIgnoreCase)
        while ($at -ge 0) {
            $record = $List.LastIndexOf(('PK' + [char]1 + [char]2), $at, [System.StringComparison]::Ordinal)
            if ($record -ge 0 -and $record + 46 -le $at) {
                $length = [int](Read-PfNumber $List ($record + 28) 2)
                if ($record + 46 + $length -le $List.Length -and $at -lt $record + 46 + $length) {
                    $path = $List.Substring($record + 46, $length)
                    if ($path.EndsWith('.dll', [System.StringComparison]::OrdinalIgnoreCase)) {
                        return $true
                    }
                }
            }
            $at = $List.IndexOf($folder, $at + 1, [System.StringComparison]::OrdinalIgnoreCase)
        }
    }
    return $false
}

function Set-PfZipState($Backup) {
    $path = $Backup['found']
    $size = [long]$Backup['size_bytes']
    $tail = [int][System.Math]::Min($size, [long]65557)
    $text = Get-PfFilePiece $path ($size - $tail) $tail
    $end = Find-PfZipEnd $text ($size - $tail)
    if ($end -lt 0) {
        $Backup['contents'] = 'broken'
        return
    }
    $Backup['contents'] = 'unseen'
    $count = Read-PfNumber $text ($end + 10) 2
    $length = Read-PfNumber $text ($end + 12) 4
    $start = Read-PfNumber $text ($end + 16) 4
    if ($count -eq 65535 -or $length -eq 4294967295 -or $start -eq 4294967295) {
        # A large one has a larger record, and just before the usual one what says where.
        $at = $end - 20
        if ($at -lt 0 -or [string]::CompareOrdinal($text, $at, ('PK' + [char]6 + [char]7), 0, 4) -ne 0) {
            return
        }
        $where = Read-PfNumber $text ($at + 8) 8
        if ($where -gt $size) {
            return
        }
        $large = Get-PfFilePiece $path $where 56
        if ($large.Length -lt 56 -or [string]::CompareOrdinal($large, 0, ('PK' + [char]6 + [char]6), 0, 4) -ne 0) {
            return
        }
        $count = Read-PfNumber $large 32 8
        $length = Read-PfNumber $large 40 8
        $start = Read-PfNumber $large 48 8
    }
    if ($length -gt 16777216 -or $start + $length -gt $size) {
        return
    }
    $list = Get-PfFilePiece $path $start ([int]$length)
    $mark = 'PK' + [char]1 + [char]2
    if ($count -gt 0 -and ($list.Length -lt 46 -or [string]::CompareOrdinal($list, 0, $mark, 0, 4) -ne 0)) {
        return
    }
    $Backup['contents'] = 'listed'
    $Backup['entries'] = $count
    $Backup['keys'] = @(Find-PfZipEntries $list 'encryption.config')
    $configs = @(Find-PfZipEntries $list 'web.config')
    $Backup['web_config'] = ($configs.Count -gt 0)
    foreach ($config in $configs) {
        if ($null -eq $Backup['web_config_bytes'] -or $config['size_bytes'] -gt $Backup['web_config_bytes']) {
            $Backup['web_config_bytes'] = $config['size_bytes']
        }
    }
    $Backup['libraries'] = (Test-PfZipLibrary $list)
}

function Set-PfBackupFile($Backup, [string]$Path) {
    $Backup['found'] = $Path
    $Backup['kind'] = 'file'
    $Backup['size_bytes'] = Get-PfFileSize $Path
    $Backup['written'] = (Get-PfFileTimes $Path)['written']
    if ($Path.EndsWith('.zip', [System.StringComparison]::OrdinalIgnoreCase)) {
        $Backup['kind'] = 'zip'
        if ($Backup['size_bytes'] -gt 0) {
            Set-PfZipState $Backup
        }
    }
}

function Test-PfApplication([string]$Folder) {
    $key = Get-PfFileAttributes ($Folder + '\encryption.config')
    $settings = Get-PfFileAttributes ($Folder + '\web.config')
    return ($null -ne $key -or $null -ne $settings)
}

# Copying keeps some of the times, so the newest of them counts.
function Get-PfFolderTime([string]$Folder) {
    $newest = [long]0
    foreach ($path in @($Folder, ($Folder + '\encryption.config'), ($Folder + '\web.config'))) {
        if ($null -ne (Get-PfFileAttributes $path)) {
            $times = Get-PfFileTimes $path
            $newest = [System.Math]::Max($newest, [System.Math]::Max($times['written'], $times['created']))
        }
    }
    return $newest
}

function Set-PfBackupFolder($Backup, [string]$Path) {
    $Backup['found'] = $Path
    $Backup['kind'] = 'folder'
    $Backup['written'] = Get-PfFolderTime $Path
    $Backup['web_config'] = ($null -ne (Get-PfFileAttributes ($Path + '\web.config')))
    if ($Backup['web_config']) {
        $Backup['web_config_bytes'] = Get-PfFileSize ($Path + '\web.config')
    }
    $Backup['libraries'] = $false
    if ($null -ne (Get-PfFileAttributes ($Path + '\bin'))) {
        $Backup['libraries'] = (@(Get-PfFileNames ($Path + '\bin') '*.dll').Count -gt 0)
    }
    $Backup['keys'] = @(Get-PfConfigFile ($Path + '\encryption.config'))
}

function Find-PfNewestBackup($Backup, [string]$Folder, [string]$Suffix) {
    $Backup['kind'] = 'nothing'
    $newest = [long]0
    $chosen = ''
    $copy = $false
    $fitting = New-Object System.Collections.ArrayList
    $names = @(Get-PfFileNames $Folder ('*' + $Suffix))
    $first = [int][System.Math]::Max(0, $names.Count - 500)
    for ($index = $first; $index -lt $names.Count; $index = $index + 1) {
        $path = $Folder + '\' + $names[$index]
        # To Windows, *.bak is also what begins so. In Turkish, -like tells .ZIP from .zip.
        if ($path.EndsWith($Suffix, [System.StringComparison]::OrdinalIgnoreCase)) {
            try {
                $written = (Get-PfFileTimes $path)['written']
            } catch {
                # One that is cleared away meanwhile is no backup.
                if ((Get-PfTextKind (Get-PfErrorText $_)) -eq 'missing') {
                    continue
                }
                throw (Get-PfErrorText $_)
            }
            [void]$fitting.Add(('{0:d19}|' -f [long]$written) + $names[$index])
            if ($written -gt $newest) {
                $newest = $written
                $chosen = $path
            }
        }
    }
    $Backup['left_out'] = $first
    if ($Suffix -eq '.bak') {
        # Whose backup the newest is, is decided by whoever reads the answer.
        $fitting.Sort([System.StringComparer]::Ordinal)
        $from = [int][System.Math]::Max(0, $fitting.Count - 50)
        for ($index = $from; $index -lt $fitting.Count; $index = $index + 1) {
            $entry = [string]$fitting[$index]
            $name = $entry.Substring(20)
            $Backup['files'] += $entry.Substring(0, 20) + (Get-PfFileSize ($Folder + '\' + $name)) + '|' + $name
        }
    }
    if ($Suffix -eq '.zip') {
        $names = @(Get-PfFolderNames $Folder)
        $first = [int][System.Math]::Max(0, $names.Count - 200)
        for ($index = $first; $index -lt $names.Count; $index = $index + 1) {
            $path = $Folder + '\' + $names[$index]
            if (Test-PfApplication $path) {
                $written = Get-PfFolderTime $path
                if ($written -gt $newest) {
                    $newest = $written
                    $chosen = $path
                    $copy = $true
                }
            }
        }
        $Backup['left_out'] = $Backup['left_out'] + $first
    }
    if ($copy) {
        Set-PfBackupFolder $Backup $chosen
    } elseif ($chosen -ne '') {
        Set-PfBackupFile $Backup $chosen
    }
}

function Get-PfBackup([string]$Path, [string]$Suffix) {
    $clean = (Expand-PfEnvironment ($Path.Trim())).Replace('/', '\').TrimEnd('\')
    $backup = @{ path = $clean; found = ''; kind = 'missing'; size_bytes = $null; written = $null; left_out = 0 }
    $backup['contents'] = ''
    $backup['entries'] = $null
    $backup['web_config'] = $false
    $backup['keys'] = @()
    $backup['web_config_bytes'] = $null
    $backup['libraries'] = $null
    $backup['files'] = @()
    $backup['error'] = ''
    try {
        $attributes = Get-PfFileAttributes $clean
        if ($null -eq $attributes) {
            return $backup
        }
        if (($attributes -band 0x10) -eq 0) {
            Set-PfBackupFile $backup $clean
        } elseif ($Suffix -eq '.zip' -and (Test-PfApplication $clean)) {
            Set-PfBackupFolder $backup $clean
        } else {
            Find-PfNewestBackup $backup $clean $Suffix
        }
    } catch {
        $backup['kind'] = 'closed'
        $backup['error'] = Get-PfErrorText $_
    }
    return $backup
}

$application = $null
$database = $null
if ([string]$PfOption['backup_app_path'] -ne '') {
    $application = Get-PfBackup ([string]$PfOption['backup_app_path']) '.zip'
}
if ([string]$PfOption['backup_database_path'] -ne '') {
    $database = Get-PfBackup ([string]$PfOption['backup_database_path']) '.bak'
}
return @{ now = (Get-PfTicks); application = $application; database = $database }
