$current = 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\'
$control = 'HKLM\SYSTEM\CurrentControlSet\Control\'
$renames = 0
# Pairs: what is renamed, and to what; nothing for what is deleted.
foreach ($value in @('PendingFileRenameOperations', 'PendingFileRenameOperations2')) {
    $paths = @(Get-PfRegistryValue ($control + 'Session Manager') $value)
    for ($index = 0; $index -lt $paths.Count; $index = $index + 2) {
        if ($null -ne $paths[$index] -and [string]$paths[$index] -ne '') {
            $renames = $renames + 1
        }
    }
}
return @{
    servicing = (Test-PfRegistryKey ($current + 'Component Based Servicing\RebootPending'))
    windows_update = (Test-PfRegistryKey ($current + 'WindowsUpdate\Auto Update\RebootRequired'))
    file_renames = $renames
    active_name = (Get-PfRegistryText ($control + 'ComputerName\ActiveComputerName') 'ComputerName')
    next_name = (Get-PfRegistryText ($control + 'ComputerName\ComputerName') 'ComputerName')
}
