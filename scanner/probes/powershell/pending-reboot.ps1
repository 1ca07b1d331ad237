$current = 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\'
$control = 'HKLM\SYSTEM\CurrentControlSet\Control\'
$renames = 0
foreach ($path in @(Get-PfRegistryValue ($control + 'Session Manager') 'PendingFileRenameOperations')) {
    if ([string]$path -ne '') {
        $renames = $renames + 1
    }
}
return @{
    servicing = (Test-PfRegistryKey ($current + 'Component Based Servicing\RebootPending'))
    windows_update = (Test-PfRegistryKey ($current + 'WindowsUpdate\Auto Update\RebootRequired'))
    file_renames = $renames
    active_name = [string](Get-PfRegistryValue ($control + 'ComputerName\ActiveComputerName') 'ComputerName')
    next_name = [string](Get-PfRegistryValue ($control + 'ComputerName\ComputerName') 'ComputerName')
}
