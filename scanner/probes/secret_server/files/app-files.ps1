# Bounded in time, bytes, files and folders; whatever was left out is named, and the reader makes nothing up for it.
$found = Get-PfRoots
$share = [int](($PfBudgetMs - (Get-PfClock)) / 2)
if ($share -gt 20000) {
    $share = 20000
}
$until = (Get-PfClock) + $share
$rows = @()
foreach ($root in $found['roots']) {
    $tree = New-Object System.Collections.ArrayList
    $leftOut = New-Object System.Collections.ArrayList
    $stopped = ''
    $files = 0
    $bytes = 0
    $told = 0
    $queue = New-Object System.Collections.ArrayList
    if ($root['exists']) {
        [void]$queue.Add('')
    }
    $at = 0
    while ($at -lt $queue.Count -and $stopped -eq '') {
        $folder = [string]$queue[$at]
        $at = $at + 1
        $names = @()
        $inner = @()
        try {
            $names = @(Get-PfFileNames ($root['path'] + $folder) '*')
            $inner = @(Get-PfFolderNames ($root['path'] + $folder))
        } catch {
            [void]$leftOut.Add(@{ path = ($folder + '\').ToLowerInvariant(); why = (Get-PfErrorText $_) })
            continue
        }
        foreach ($name in $inner) {
            $path = ($folder + '\' + $name).ToLowerInvariant()
            if (@('\log', '\customresources') -notcontains $path) {
                try {
                    if (((Get-PfFileAttributes ($root['path'] + $path)) -band 0x400) -ne 0) {
                        throw 'a link to elsewhere'
                    }
                    [void]$queue.Add($path)
                } catch {
                    [void]$leftOut.Add(@{ path = ($path + '\'); why = (Get-PfErrorText $_) })
                }
            }
        }
        $full = New-Object System.Collections.ArrayList
        $short = New-Object System.Collections.ArrayList
        $partial = $false
        foreach ($name in $names) {
            $lower = ([string]$name).ToLowerInvariant()
            $path = $folder + '\' + $lower
            $own = @('\encryption.config', '\database.config', '\web.config', '\web-appsettings.config') -contains $path
            $ordinal = [System.StringComparison]::Ordinal
            $sap = $lower.StartsWith('sapnco', $ordinal) -and $lower.EndsWith('.dll', $ordinal)
            if ($own -or $sap -or $lower -eq 'oracle.dataaccess.dll') {
                continue
            }
            try {
                $size = Get-PfFileSize ($root['path'] + $path)
                if ((Get-PfClock) -ge $until) {
                    $stopped = 'time'
                } elseif ($bytes + $size -gt 2147483648) {
                    $stopped = 'bytes'
                } elseif ($files -ge 20000 -or $tree.Count -ge 1000) {
                    $stopped = 'files'
                }
                if ($stopped -ne '') {
                    break
                }
                if ($size -gt 268435456) {
                    throw 'larger than 256 MB'
                }
                $digest = Get-PfFileHash ($root['path'] + $path)
                $files = $files + 1
                $bytes = $bytes + $size
                [void]$full.Add($lower + '/' + $digest)
                [void]$short.Add($lower + '/' + $digest.Substring(0, 8))
            } catch {
                $partial = $true
                [void]$leftOut.Add(@{ path = $path; why = (Get-PfErrorText $_) })
            }
        }
        if ($stopped -eq '' -and ($full.Count -gt 0 -or $partial)) {
            $full.Sort([System.StringComparer]::Ordinal)
            $list = $short -join '|'
            $told = $told + $list.Length
            if ($told -gt 200000) {
                $list = $null
            }
            $row = @{ folder = $folder; count = $full.Count; files = $list; partial = $partial }
            $row['digest'] = Get-PfTextHash ($full -join '|')
            [void]$tree.Add($row)
        }
        if ($leftOut.Count -gt 500) {
            $stopped = 'files'
        }
    }
    $rows += @{ root = $root; tree = $tree; left_out = $leftOut; stopped = $stopped; files = $files; bytes = $bytes }
}
return @{ folders = $rows; notes = $found['notes'] }
