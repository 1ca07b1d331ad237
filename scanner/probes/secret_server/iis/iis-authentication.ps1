# Which ways of authentication each place of IIS's configuration sets, and which sections it locks; and of web.config what
# it sets, and where, for what is locked above must not be set there. Values of other settings stay on the node.

$kinds = @('anonymous', 'windows', 'basic', 'digest')

# The sections that IIS declares below system.webServer, each with its overrideModeDefault.
function Add-PfKnownSections($Known, $Group, [string]$Above) {
    foreach ($section in $Group.SelectNodes('section')) {
        $Known[$Above + $section.GetAttribute('name')] = $section.GetAttribute('overrideModeDefault')
    }
    foreach ($inner in $Group.SelectNodes('sectionGroup')) {
        Add-PfKnownSections $Known $inner ($Above + $inner.GetAttribute('name') + '/')
    }
}

# The sections below a node, by their paths below system.webServer.
function Find-PfSections($Node, [string]$Above, $Known) {
    foreach ($child in $Node.SelectNodes('*')) {
        $name = $Above + $child.LocalName
        if ($Known.ContainsKey($name)) {
            @{ name = $name; node = $child }
        } else {
            Find-PfSections $child ($name + '/') $Known
        }
    }
}

# What one place says: a row, with a section for each that it sets or locks.
function Add-PfPlace($Row, $Place, $Known, [string]$Folder) {
    $sections = @()
    foreach ($server in $Place.SelectNodes('system.webServer')) {
        foreach ($found in @(Find-PfSections $server '' $Known)) {
            $node = Resolve-PfSection ($found['node']) $Folder
            $section = @{ name = $found['name']; attributes = @(); elements = @(); locks = @{} }
            foreach ($attribute in $node.SelectNodes('@*')) {
                if ($attribute.LocalName.StartsWith('lock', [System.StringComparison]::Ordinal)) {
                    $section['locks'][$attribute.LocalName] = $attribute.Value
                } else {
                    $section['attributes'] = @($section['attributes']) + $attribute.LocalName
                }
            }
            foreach ($element in $node.SelectNodes('*')) {
                if (@($section['elements']) -notcontains $element.LocalName) {
                    $section['elements'] = @($section['elements']) + $element.LocalName
                }
            }
            foreach ($kind in $kinds) {
                if ($found['name'] -eq 'security/authentication/' + $kind + 'Authentication' -and $node.HasAttribute('enabled')) {
                    $Row[$kind] = $node.GetAttribute('enabled')
                }
            }
            $sections += $section
        }
    }
    $Row['sections'] = @($Row['sections']) + $sections
}

$iis = Get-PfIis
$document = Read-PfXml ($iis['path'])
$known = @{}
foreach ($kind in $kinds) {
    $known['security/authentication/' + $kind + 'Authentication'] = ''
}
foreach ($group in $document.SelectNodes('/configuration/configSections/sectionGroup[@name="system.webServer"]')) {
    Add-PfKnownSections $known $group ''
}
$denied = New-Object System.Collections.ArrayList
foreach ($name in @($known.Keys)) {
    if ($known[$name] -eq 'Deny') {
        [void]$denied.Add($name)
    }
}
$denied.Sort([System.StringComparer]::Ordinal)
$places = @()
foreach ($place in $document.SelectNodes('/configuration|/configuration/location')) {
    $row = @{ path = $place.GetAttribute('path'); sections = @() }
    $row['inherits'] = ($place.GetAttribute('inheritInChildApplications') -ne 'false')
    $row['override'] = $place.GetAttribute('overrideMode')
    $old = $place.GetAttribute('allowOverride')
    if ($row['override'] -eq '' -and $old -ne '') {
        $row['override'] = @{ 'true' = 'Allow'; 'false' = 'Deny' }[$old]
    }
    Add-PfPlace $row $place $known (Get-PfFolderOf ($iis['path']))
    # What sets and locks nothing that matters here is left out, as most of what a server's own place holds.
    $telling = @()
    foreach ($section in @($row['sections'])) {
        if ($section['locks'].Count -gt 0 -or @('Allow', 'Deny') -contains $row['override']) {
            $telling += @{ name = $section['name']; attributes = @(); elements = @(); locks = $section['locks'] }
        }
    }
    $row['sections'] = $telling
    $says = $false
    foreach ($kind in $kinds) {
        if ($row.ContainsKey($kind)) {
            $says = $true
        }
    }
    if ($says -or $telling.Count -gt 0) {
        $places += $row
    }
}
$roots = Get-PfRoots
$folders = @()
foreach ($root in $roots['roots']) {
    $row = @{ path = $root['path']; mode = ''; error = ''; sections = @() }
    try {
        $config = Read-PfXml ($root['path'] + '\web.config')
        # All may stand in a location element without a path as well, which keeps them from applications below.
        foreach ($place in $config.SelectNodes('/configuration|/configuration/location[not(@path) or @path="" or @path="."]')) {
            foreach ($element in $place.SelectNodes('system.web/authentication')) {
                $section = Resolve-PfSection $element ($root['path'])
                if ($section.HasAttribute('mode')) {
                    $row['mode'] = $section.GetAttribute('mode')
                }
            }
            Add-PfPlace $row $place $known ($root['path'])
        }
    } catch {
        $row['error'] = Get-PfErrorText $_
    }
    $folders += $row
}
return @{ denied = $denied; places = $places; folders = $folders }
