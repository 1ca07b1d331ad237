$instances = @()
foreach ($instance in @(Get-PfSqlInstances)) {
    $row = @{ name = $instance['name']; instance_id = $instance['id']; version = ''; patch_level = ''; edition = ''; error = '' }
    try {
        $setup = $instance['key'] + '\Setup'
        $row['version'] = Get-PfRegistryText $setup 'Version'
        $row['patch_level'] = Get-PfRegistryText $setup 'PatchLevel'
        $row['edition'] = Get-PfRegistryText $setup 'Edition'
    } catch {
        $row['error'] = Get-PfErrorText $_
    }
    $instances += $row
}
return @{ instances = $instances }
