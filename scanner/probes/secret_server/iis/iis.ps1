# What the checks need of applicationHost.config. The file is read once, on the node, and never leaves it:
# names, paths, pipeline modes do; accounts and passwords, encrypted or not, are not even looked at.

# In the encoding that the file itself declares. A default namespace, which the tools of .NET 2.0 wrote and IIS ignores,
# would hide every element from a plain path.
function Read-PfXml([string]$Path) {
    $bytes = Get-PfFileBytes $Path
    $document = New-Object System.Xml.XmlDocument
    $document.XmlResolver = $null
    try {
        $document.Load((New-Object System.IO.MemoryStream (, $bytes)))
        if ($document.DocumentElement.NamespaceURI -ne '') {
            $named = '(<configuration\b[^>]*?)\sxmlns\s*=\s*("[^"]*"|''[^'']*'')'
            $text = [System.Text.RegularExpressions.Regex]::Replace($document.OuterXml, $named, '$1')
            $document = New-Object System.Xml.XmlDocument
            $document.XmlResolver = $null
            $document.LoadXml($text)
        }
    } catch {
        throw ('unreadable: ' + $Path + ': not well-formed XML')
    }
    return , $document
}

# A section itself, where it stands in a file of its own: one that configSource names, in the folder of the file that names
# it or below. What is encrypted is not looked into.
function Resolve-PfSection($Section, [string]$Folder) {
    $source = $Section.GetAttribute('configSource').Replace('/', '\')
    if ($source -ne '') {
        $path = $Folder + '\' + $source
        $up = $source.Contains('..') -or $source.Contains(':') -or $source.StartsWith('\', [System.StringComparison]::Ordinal)
        if ($up) {
            throw ('unreadable: ' + $path + ': configSource names a file outside the folder, which IIS refuses')
        }
        $document = Read-PfXml $path
        if ($document.DocumentElement.LocalName -ne $Section.LocalName) {
            throw ('unreadable: ' + $path + ': it holds no section ' + $Section.LocalName)
        }
        $Section = $document.DocumentElement
    }
    if ($Section.HasAttribute('configProtectionProvider')) {
        throw ('unreadable: ' + $Folder + ': the section ' + $Section.LocalName + ' is encrypted')
    }
    return , $Section
}

function Get-PfFolderOf([string]$Path) {
    return $Path.Substring(0, [System.Math]::Max(0, $Path.LastIndexOf('\', [System.StringComparison]::Ordinal)))
}

function Get-PfSection($Document, [string]$Name, [string]$Path, [string]$Folder) {
    $section = $Document.SelectSingleNode('/configuration/system.applicationHost/' + $Name)
    if ($null -eq $section) {
        throw ('unreadable: ' + $Path + ': it has no section ' + $Name)
    }
    return , (Resolve-PfSection $section $Folder)
}

# The pool that an applicationDefaults element below Node names; empty where none does.
function Get-PfDefaultPool($Node) {
    $defaults = $Node.SelectSingleNode('applicationDefaults')
    if ($null -eq $defaults) {
        return ''
    }
    return $defaults.GetAttribute('applicationPool')
}

# One attribute of a pool, by its XPath below the pool, and where it is set.
function Get-PfPoolSetting($Pool, $Defaults, [string]$Attribute) {
    $found = $Pool.SelectSingleNode($Attribute)
    if ($null -ne $found) {
        return @{ value = $found.Value; source = 'pool' }
    }
    if ($null -ne $Defaults) {
        $found = $Defaults.SelectSingleNode($Attribute)
        if ($null -ne $found) {
            return @{ value = $found.Value; source = 'applicationPoolDefaults' }
        }
    }
    return @{ value = ''; source = 'default' }
}

function Get-PfPools($Section) {
    $defaults = $Section.SelectSingleNode('applicationPoolDefaults')
    foreach ($pool in $Section.SelectNodes('add')) {
        $mode = ''
        $source = 'default'
        if ($pool.HasAttribute('managedPipelineMode')) {
            $mode = $pool.GetAttribute('managedPipelineMode')
            $source = 'pool'
        } elseif ($null -ne $defaults -and $defaults.HasAttribute('managedPipelineMode')) {
            $mode = $defaults.GetAttribute('managedPipelineMode')
            $source = 'applicationPoolDefaults'
        }
        $runtime = ''
        if ($pool.HasAttribute('managedRuntimeVersion')) {
            $runtime = $pool.GetAttribute('managedRuntimeVersion')
        } elseif ($null -ne $defaults) {
            $runtime = $defaults.GetAttribute('managedRuntimeVersion')
        }
        @{
            name = $pool.GetAttribute('name')
            mode = $mode
            mode_source = $source
            runtime_version = $runtime
            settings = @{
                runtime = (Get-PfPoolSetting $pool $defaults '@managedRuntimeVersion')
                load_user_profile = (Get-PfPoolSetting $pool $defaults 'processModel/@loadUserProfile')
                max_processes = (Get-PfPoolSetting $pool $defaults 'processModel/@maxProcesses')
                identity_type = (Get-PfPoolSetting $pool $defaults 'processModel/@identityType')
                enable_32_bit = (Get-PfPoolSetting $pool $defaults '@enable32BitAppOnWin64')
                auto_start = (Get-PfPoolSetting $pool $defaults '@autoStart')
            }
        }
    }
}

function Get-PfApplications($Section) {
    $common = Get-PfDefaultPool $Section
    foreach ($site in $Section.SelectNodes('site')) {
        $local = Get-PfDefaultPool $site
        foreach ($application in $site.SelectNodes('application')) {
            $pool = $application.GetAttribute('applicationPool')
            if ($pool -eq '') {
                $pool = $local
            }
            if ($pool -eq '') {
                $pool = $common
            }
            $physical = ''
            $folder = $application.SelectSingleNode('virtualDirectory[@path="/"]')
            if ($null -ne $folder) {
                $physical = Expand-PfEnvironment ($folder.GetAttribute('physicalPath'))
            }
            @{
                site = $site.GetAttribute('name')
                path = $application.GetAttribute('path')
                physical_path = $physical
                pool = $pool
                site_auto_start = $site.GetAttribute('serverAutoStart')
            }
        }
    }
}

# Whether IIS lets ASP.NET's own ISAPI extensions run.
function Get-PfIsapiRestrictions($Document) {
    foreach ($row in $Document.SelectNodes('/configuration/system.webServer/security/isapiCgiRestriction/add')) {
        $path = $row.GetAttribute('path')
        if ($path.TrimEnd('"').EndsWith('aspnet_isapi.dll', [System.StringComparison]::OrdinalIgnoreCase)) {
            @{ path = $path; allowed = $row.GetAttribute('allowed'); description = $row.GetAttribute('description') }
        }
    }
}

function Read-PfIis {
    $folder = (Get-PfSystemFolder) + '\inetsrv\config'
    $path = $folder + '\applicationHost.config'
    $pointer = $folder + '\redirection.config'
    $shared = $false
    if ($null -ne (Get-PfFileAttributes $pointer)) {
        $document = Read-PfXml $pointer
        $redirection = $document.SelectSingleNode('/configuration/configurationRedirection')
        if ($null -ne $redirection -and $redirection.GetAttribute('enabled') -eq 'true') {
            $shared = $true
            $elsewhere = Expand-PfEnvironment ($redirection.GetAttribute('path'))
            $path = $elsewhere.TrimEnd('\') + '\applicationHost.config'
        }
    }
    $document = Read-PfXml $path
    $folder = Get-PfFolderOf $path
    return @{
        path = $path
        shared = $shared
        pools = @(Get-PfPools (Get-PfSection $document 'applicationPools' $path $folder))
        applications = @(Get-PfApplications (Get-PfSection $document 'sites' $path $folder))
        isapi = @(Get-PfIsapiRestrictions $document)
    }
}

# Read once for all probes; a failure is remembered as well.
function Get-PfIis {
    if (-not $PfMemo.ContainsKey('iis')) {
        $PfMemo['iis'] = $null
        $PfMemo['iis-error'] = ''
        try {
            $PfMemo['iis'] = Read-PfIis
        } catch {
            $PfMemo['iis-error'] = Get-PfErrorText $_
        }
    }
    if ($PfMemo['iis-error'] -ne '') {
        throw ($PfMemo['iis-error'])
    }
    return $PfMemo['iis']
}
