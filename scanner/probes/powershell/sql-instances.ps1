$instances = @()
foreach ($instance in @(Get-PfSqlInstances)) {
    $row = @{ name = $instance['name']; instance_id = $instance['id']; version = ''; patch_level = ''; edition = ''; error = '' }
    try {
        $setup = $instance['key'] + '\Setup'
        $row['version'] = [string](Get-PfRegistryValue $setup 'Version')
        $row['patch_level'] = [string](Get-PfRegistryValue $setup 'PatchLevel')
        $row['edition'] = [string](Get-PfRegistryValue $setup 'Edition')
    } catch {
        $row['error'] = Get-PfErrorText $_
    }
    $instances += $row
}
return @{ instances = $instances }
