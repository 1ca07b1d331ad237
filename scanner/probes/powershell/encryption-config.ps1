$found = Get-PfRoots
$folders = @()
foreach ($root in $found['roots']) {
    $path = $root['path'] + '\encryption.config'
    $config = @{ path = $path; state = 'missing'; sha256 = ''; efs = $false; size_bytes = $null; detail = '' }
    try {
        $attributes = Get-PfFileAttributes $path
        if ($null -ne $attributes) {
            $config['efs'] = (($attributes -band 0x4000) -ne 0)
            $config['size_bytes'] = Get-PfFileSize $path
            $config['sha256'] = Get-PfFileHash $path
            $config['state'] = 'hashed'
        }
    } catch {
        $config['detail'] = Get-PfErrorText $_
        $config['state'] = Get-PfTextKind ($config['detail'])
    }
    $folders += @{ root = $root; config = $config }
}
return @{ folders = $folders; notes = $found['notes'] }
