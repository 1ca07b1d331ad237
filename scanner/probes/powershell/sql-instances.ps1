$instances = @()
$seen = @()
foreach ($software in @('HKLM\SOFTWARE', 'HKLM\SOFTWARE\Wow6432Node')) {
    $base = $software + '\Microsoft\Microsoft SQL Server\'
    foreach ($name in @(Get-PfRegistryValueNames ($base + 'Instance Names\SQL'))) {
        $id = [string](Get-PfRegistryValue ($base + 'Instance Names\SQL') $name)
        # The 32-bit view can name 64-bit instances again, without their Setup key.
        if ($name -ne '' -and $id -ne '' -and $seen -notcontains $id) {
            $seen += $id
            $row = @{ name = $name; instance_id = $id; version = ''; patch_level = ''; edition = ''; error = '' }
            try {
                $setup = $base + $id + '\Setup'
                $row['version'] = [string](Get-PfRegistryValue $setup 'Version')
                $row['patch_level'] = [string](Get-PfRegistryValue $setup 'PatchLevel')
                $row['edition'] = [string](Get-PfRegistryValue $setup 'Edition')
            } catch {
                $row['error'] = Get-PfErrorText $_
            }
            $instances += $row
        }
    }
}
return @{ instances = $instances }
