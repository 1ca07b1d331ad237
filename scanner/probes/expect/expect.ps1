# What a Windows node is asked for an expectation. Plain language over the accessors, and four more contacts, all of them
# reading; each answer is a table of what was found, and of why something could not be.

# The names of the keys right below one. Nothing where there is no such key.
function Get-PfRegistryKeyNames([string]$Key) {
    $opened = Open-PfRegistryKey $Key
    if ($null -eq $opened) {
        return
    }
    try {
        foreach ($name in $opened.GetSubKeyNames()) {
            $name
        }
    } catch {
        Stop-PfAccess $Key $_
    } finally {
        $opened.Close()
    }
}

# The addresses on which somebody listens at a port, as numbers.
function Get-PfListeners([int]$Port, [bool]$Udp) {
    try {
        $properties = [System.Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties()
        if ($Udp) {
            $all = $properties.GetActiveUdpListeners()
        } else {
            $all = $properties.GetActiveTcpListeners()
        }
        foreach ($point in $all) {
            if ($point.Port -eq $Port) {
                $point.Address.ToString()
            }
        }
    } catch {
        Stop-PfAccess 'the table of ports' $_
    }
}

# The text of a file, by the mark in front of it; without one it is UTF-8.
function Get-PfFileText([string]$Path) {
    $bytes = Get-PfFileBytes $Path
    if ($null -eq $bytes -or $bytes.Length -eq 0) {
        return ''
    }
    if ($bytes.Length -ge 2 -and $bytes[0] -eq 0xFF -and $bytes[1] -eq 0xFE) {
        return [System.Text.Encoding]::Unicode.GetString($bytes, 2, $bytes.Length - 2)
    }
    if ($bytes.Length -ge 2 -and $bytes[0] -eq 0xFE -and $bytes[1] -eq 0xFF) {
        return [System.Text.Encoding]::BigEndianUnicode.GetString($bytes, 2, $bytes.Length - 2)
    }
    $text = [System.Text.Encoding]::UTF8.GetString($bytes)
    if ($text.Length -gt 0 -and [int]$text[0] -eq 0xFEFF) {
        return $text.Substring(1)
    }
    return $text
}

function Test-PfContent([string]$Text, [string]$Pattern, [bool]$Expression) {
    if (-not $Expression) {
        return ($Text.IndexOf($Pattern, [System.StringComparison]::Ordinal) -ge 0)
    }
    $regex = New-Object System.Text.RegularExpressions.Regex($Pattern)
    foreach ($line in $Text.Replace("`r`n", "`n").Split("`n")) {
        if ($regex.IsMatch($line)) {
            return $true
        }
    }
    return $false
}

# Searches are @(item, text, whether it is a regular expression).
function Get-PfExpectedFile([string]$Path, [bool]$Kind, [bool]$Size, [bool]$Hash, $Searches) {
    $told = @{ found = @{}; gaps = @{} }
    $attributes = Get-PfFileAttributes $Path
    if ($null -eq $attributes) {
        $told['found']['exists'] = $false
        return $told
    }
    $told['found']['exists'] = $true
    if ($Kind) {
        $told['found']['type'] = 'file'
        if (($attributes -band 0x10) -ne 0) {
            $told['found']['type'] = 'folder'
        }
    }
    if ($Size) {
        try {
            $told['found']['size'] = Get-PfFileSize $Path
        } catch {
            $told['gaps']['size'] = Get-PfErrorText $_
        }
    }
    if ($Hash) {
        try {
            $told['found']['sha256'] = Get-PfBusyFileHash $Path
        } catch {
            $told['gaps']['sha256'] = Get-PfErrorText $_
        }
    }
    if ($Searches.Count -gt 0) {
        $text = $null
        $problem = ''
        try {
            $text = Get-PfFileText $Path
        } catch {
            $problem = Get-PfErrorText $_
        }
        foreach ($search in $Searches) {
            if ($problem -ne '') {
                $told['gaps'][$search[0]] = $problem
                continue
            }
            try {
                $told['found'][$search[0]] = Test-PfContent $text $search[1] $search[2]
            } catch {
                $told['gaps'][$search[0]] = Get-PfErrorText $_
            }
        }
    }
    return $told
}

# A value as text: what is binary in hex digits, and numbers of 32 bits without a sign, as the registry's editor shows.
function Get-PfExpectedRegistry([string]$Key, [string]$Name, [bool]$Value) {
    $told = @{ found = @{}; gaps = @{} }
    $told['found']['exists'] = Test-PfRegistryKey $Key
    if ($Name -eq '' -or -not $told['found']['exists']) {
        return $told
    }
    $told['found']['exists'] = (@(Get-PfRegistryValueNames $Key) -contains $Name)
    if (-not $Value -or -not $told['found']['exists']) {
        return $told
    }
    $held = @(Get-PfRegistryValue $Key $Name)
    if ($held.Count -gt 0 -and $held[0] -is [byte]) {
        $told['found']['value'] = Get-PfRegistryHex $Key $Name
    } elseif ($held.Count -eq 1 -and $held[0] -is [int]) {
        $number = [long]$held[0]
        if ($number -lt 0) {
            $number = $number + 4294967296
        }
        $told['found']['value'] = $number
    } else {
        $told['found']['value'] = ($held -join "`n")
    }
    return $told
}

# An account that may not see services is shown none: what the registry names is there all the same.
function Get-PfExpectedService([string]$Name, [bool]$Enabled) {
    $told = @{ found = @{}; gaps = @{} }
    if (-not (Test-PfRegistryKey ('HKLM\SYSTEM\CurrentControlSet\Services\' + $Name))) {
        $told['found']['exists'] = $false
        return $told
    }
    $query = 'SELECT State, StartMode FROM Win32_Service WHERE Name="' + $Name + '"'
    $rows = @(Get-PfWmiRows $query @('State', 'StartMode'))
    if ($rows.Count -ne 1) {
        $told['gaps']['exists'] = 'Windows does not show it to this account as a service'
        return $told
    }
    $told['found']['exists'] = $true
    $told['found']['state'] = ('' + $rows[0]['State'])
    $told['found']['running'] = ($told['found']['state'] -eq 'Running')
    if ($Enabled) {
        $told['found']['enabled'] = (@('Auto', 'Boot', 'System') -contains ('' + $rows[0]['StartMode']))
    }
    return $told
}

# What "Programs and Features" lists for the whole machine, in both views. The name is a regular expression.
function Get-PfExpectedPackage([string]$Pattern) {
    $told = @{ found = @{}; gaps = @{} }
    $regex = New-Object System.Text.RegularExpressions.Regex($Pattern)
    $versions = @()
    $installed = $false
    foreach ($software in @('HKLM\SOFTWARE', 'HKLM\SOFTWARE\Wow6432Node')) {
        $base = $software + '\Microsoft\Windows\CurrentVersion\Uninstall'
        foreach ($name in @(Get-PfRegistryKeyNames $base)) {
            $key = $base + '\' + $name
            if ($regex.IsMatch((Get-PfRegistryText $key 'DisplayName'))) {
                $installed = $true
                $version = Get-PfRegistryText $key 'DisplayVersion'
                if ($version -ne '' -and $versions -notcontains $version) {
                    $versions += $version
                }
            }
        }
    }
    $told['found']['installed'] = $installed
    if ($versions.Count -gt 0) {
        $told['found']['version'] = $versions -join ', '
    } elseif ($installed) {
        $told['gaps']['version'] = 'Windows has none on record'
    }
    return $told
}

function Get-PfExpectedPort([int]$Port, [bool]$Udp) {
    $told = @{ found = @{}; gaps = @{} }
    $addresses = @(Get-PfListeners $Port $Udp)
    $told['found']['listening'] = ($addresses.Count -gt 0)
    if ($addresses.Count -gt 0) {
        $told['found']['addresses'] = $addresses -join ', '
    }
    return $told
}
