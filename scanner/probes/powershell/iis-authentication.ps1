$iis = Get-PfIis
$document = Read-PfXml ($iis['path'])
$kinds = @('anonymous', 'windows', 'basic', 'digest')
$places = @()
foreach ($place in $document.SelectNodes('/configuration|/configuration/location')) {
    $row = @{ path = $place.GetAttribute('path') }
    foreach ($kind in $kinds) {
        $found = $place.SelectSingleNode('system.webServer/security/authentication/' + $kind + 'Authentication/@enabled')
        if ($null -ne $found) {
            $row[$kind] = $found.Value
        }
    }
    if ($row.Count -gt 1) {
        $places += $row
    }
}
$roots = Get-PfRoots
$folders = @()
foreach ($root in $roots['roots']) {
    $row = @{ path = $root['path']; mode = ''; error = '' }
    try {
        $config = Read-PfXml ($root['path'] + '\web.config')
        # Both may stand in a location element without a path as well, which keeps them from applications below.
        foreach ($place in $config.SelectNodes('/configuration|/configuration/location[not(@path) or @path="" or @path="."]')) {
            $found = $place.SelectSingleNode('system.web/authentication/@mode')
            if ($null -ne $found) {
                $row['mode'] = $found.Value
            }
            foreach ($kind in $kinds) {
                $element = 'system.webServer/security/authentication/' + $kind + 'Authentication/@enabled'
                $found = $place.SelectSingleNode($element)
                if ($null -ne $found) {
                    $row[$kind] = $found.Value
                }
            }
        }
    } catch {
        $row['error'] = Get-PfErrorText $_
    }
    $folders += $row
}
return @{ places = $places; folders = $folders }
