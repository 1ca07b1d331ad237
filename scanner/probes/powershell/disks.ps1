$data = @()
$base = 'HKLM\SOFTWARE\Microsoft\Microsoft SQL Server\'
foreach ($name in @(Get-PfRegistryValueNames ($base + 'Instance Names\SQL'))) {
    $instance = $base + [string](Get-PfRegistryValue ($base + 'Instance Names\SQL') $name)
    foreach ($folder in @(
        [string](Get-PfRegistryValue ($instance + '\MSSQLServer') 'DefaultData')
        [string](Get-PfRegistryValue ($instance + '\MSSQLServer') 'DefaultLog')
        [string](Get-PfRegistryValue ($instance + '\Setup') 'SQLDataRoot')
    )) {
        if ($folder -ne '') {
            $data += $folder
        }
    }
}
return @{ system = (Expand-PfEnvironment '%SystemDrive%'); drives = @(Get-PfDrives); sql_folders = $data }
