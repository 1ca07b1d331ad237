# Whether IIS can make sense of web.config, and of the files that it names in configSource. No content leaves the node.

function Get-PfConfigState([string]$Path) {
    $found = @{ path = $Path; state = 'missing'; detail = ''; document = $null }
    try {
        if ($null -eq (Get-PfFileAttributes $Path)) {
            return $found
        }
        # Blank in any encoding: spaces, ends of lines, byte order marks and the zeros between them.
        $latin = [System.Text.Encoding]::GetEncoding(28591).GetString((Get-PfFileBytes $Path))
        if (-not [System.Text.RegularExpressions.Regex]::IsMatch($latin, '[^ \t\r\n\0\xEF\xBB\xBF\xFE\xFF]')) {
            $found['state'] = 'empty'
            return $found
        }
    } catch {
        $found['detail'] = Get-PfErrorText $_
        $found['state'] = Get-PfTextKind ($found['detail'])
        return $found
    }
    try {
        $found['document'] = Read-PfXml $Path
        $found['state'] = 'wellformed'
    } catch {
        $found['detail'] = Get-PfErrorText $_
        $found['state'] = 'malformed'
    }
    return $found
}

$found = Get-PfRoots
$folders = @()
foreach ($root in $found['roots']) {
    $config = Get-PfConfigState ($root['path'] + '\web.config')
    $rooted = $false
    $named = @()
    if ($config['state'] -eq 'wellformed') {
        $rooted = $null -ne $config['document'].SelectSingleNode('/configuration')
        foreach ($source in $config['document'].SelectNodes('//@configSource')) {
            if ($named.Count -lt 50) {
                $other = Get-PfConfigState ($root['path'] + '\' + $source.Value.Replace('/', '\'))
                $named += @{ path = $other['path']; state = $other['state']; detail = $other['detail'] }
            }
        }
    }
    $row = @{ root = $root; path = $config['path']; state = $config['state']; detail = $config['detail'] }
    $row['rooted'] = $rooted
    $row['named'] = $named
    $folders += $row
}
return @{ folders = $folders; notes = $found['notes'] }
