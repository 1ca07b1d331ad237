$found = Get-PfRoots
$folders = @()
foreach ($root in $found['roots']) {
    $libraries = @()
    $problem = ''
    if ($root['has_bin']) {
        try {
            foreach ($name in @(Get-PfFileNames ($root['path'] + '\bin') 'Thycotic*.dll')) {
                if ($libraries.Count -lt 200) {
                    $library = @{ name = $name; numbers = ''; text = ''; error = '' }
                    try {
                        $version = Get-PfFileVersion ($root['path'] + '\bin\' + $name)
                        $library['numbers'] = $version['numbers']
                        $library['text'] = $version['text']
                    } catch {
                        $library['error'] = Get-PfErrorText $_
                    }
                    $libraries += $library
                }
            }
        } catch {
            $problem = Get-PfErrorText $_
        }
    }
    $folders += @{ root = $root; libraries = $libraries; libraries_error = $problem }
}
return @{ folders = $folders; notes = $found['notes'] }
