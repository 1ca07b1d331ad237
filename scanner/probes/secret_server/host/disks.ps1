$data = @()
$base = 'HKLM\SOFTWARE\Microsoft\Microsoft SQL Server\'
foreach ($name in @(Get-PfRegistryValueNames ($base + 'Instance Names\SQL'))) {
    $instance = $base + (Get-PfRegistryText ($base + 'Instance Names\SQL') $name)
    foreach ($folder in @(
        (Get-PfRegistryText ($instance + '\MSSQLServer') 'DefaultData')
        (Get-PfRegistryText ($instance + '\MSSQLServer') 'DefaultLog')
        (Get-PfRegistryText ($instance + '\Setup') 'SQLDataRoot')
    )) {
        if ($folder -ne '') {
            $data += $folder
        }
    }
}
return @{ system = (Expand-PfEnvironment '%SystemDrive%'); drives = @(Get-PfDrives); sql_folders = $data }
