# The folders that may hold the application: what the inventory, the registry and IIS name, the default as a last resort.
# Which of them it is, is decided by whoever reads the answer.

function Add-PfRoot($Roots, [string]$Path, [string]$Source) {
    $clean = (Expand-PfEnvironment ($Path.Trim())).Replace('/', '\').TrimEnd('\')
    if ($clean -eq '') {
        return
    }
    foreach ($known in $Roots) {
        if ($known['path'] -eq $clean) {
            if ($known['sources'] -notcontains $Source) {
                $known['sources'] = @($known['sources']) + $Source
            }
            return
        }
    }
    [void]$Roots.Add(@{ path = $clean; sources = @($Source) })
}

function Test-PfFolder([string]$Path) {
    $attributes = Get-PfFileAttributes $Path
    return ($null -ne $attributes -and ($attributes -band 0x10) -ne 0)
}

function Set-PfRootState($Root) {
    $Root['exists'] = $false
    $Root['has_encryption_config'] = $false
    $Root['has_bin'] = $false
    $Root['error'] = ''
    try {
        $Root['exists'] = Test-PfFolder ($Root['path'])
        if ($Root['exists']) {
            $Root['has_encryption_config'] = ($null -ne (Get-PfFileAttributes ($Root['path'] + '\encryption.config')))
            $Root['has_bin'] = Test-PfFolder ($Root['path'] + '\bin')
        }
    } catch {
        $Root['error'] = Get-PfErrorText $_
    }
}

function Find-PfRoots {
    $roots = New-Object System.Collections.ArrayList
    $notes = @()
    Add-PfRoot $roots ([string]$PfOption['web_root']) 'inventory'
    try {
        Add-PfRoot $roots (Get-PfRegistryText 'HKLM\SOFTWARE\Thycotic\Secret Server' 'WebDir') 'registry'
    } catch {
        $notes += 'registry: ' + (Get-PfErrorText $_)
    }
    try {
        $iis = Get-PfIis
        foreach ($application in $iis['applications']) {
            $folder = $application['physical_path'].TrimEnd('\')
            try {
                if ($folder -ne '' -and $null -ne (Get-PfFileAttributes ($folder + '\encryption.config'))) {
                    Add-PfRoot $roots $folder 'iis'
                }
            } catch {
                $notes += 'iis: ' + (Get-PfErrorText $_)
            }
        }
    } catch {
        $notes += 'iis: ' + (Get-PfErrorText $_)
    }
    $promising = $false
    foreach ($root in $roots) {
        Set-PfRootState $root
        if ($root['exists'] -or $root['error'] -ne '') {
            $promising = $true
        }
    }
    if (-not $promising) {
        $fallback = @{ path = 'C:\inetpub\wwwroot\SecretServer'; sources = @('default') }
        Set-PfRootState $fallback
        if ($fallback['exists']) {
            [void]$roots.Add($fallback)
        }
    }
    return @{ roots = $roots; notes = $notes }
}

function Get-PfRoots {
    if (-not $PfMemo.ContainsKey('roots')) {
        $PfMemo['roots'] = Find-PfRoots
    }
    return $PfMemo['roots']
}

# The state of a configuration file; its content goes nowhere.
function Get-PfConfigFile([string]$Path) {
    $config = @{ path = $Path; state = 'missing'; sha256 = ''; efs = $false; size_bytes = $null; detail = '' }
    try {
        $attributes = Get-PfFileAttributes $Path
        if ($null -ne $attributes) {
            $config['efs'] = (($attributes -band 0x4000) -ne 0)
            $config['size_bytes'] = Get-PfFileSize $Path
            $config['sha256'] = Get-PfBusyFileHash $Path
            $config['state'] = 'hashed'
        }
    } catch {
        $config['detail'] = Get-PfErrorText $_
        $config['state'] = Get-PfTextKind ($config['detail'])
    }
    return $config
}

# That of one of the configuration files in each of the folders.
function Get-PfConfigFiles([string]$Name) {
    $found = Get-PfRoots
    $folders = @()
    foreach ($root in $found['roots']) {
        $folders += @{ root = $root; config = (Get-PfConfigFile ($root['path'] + '\' + $Name)) }
    }
    return @{ folders = $folders; notes = $found['notes'] }
}
