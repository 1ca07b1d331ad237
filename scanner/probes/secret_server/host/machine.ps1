# What a machine calls itself. Whatever name it was reached by, it is the same machine.

function Get-PfComputerName {
    $control = 'HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName'
    return (Get-PfRegistryText $control 'ComputerName').Trim()
}
