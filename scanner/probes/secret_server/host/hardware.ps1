$memory = $null
$processors = $null
foreach ($row in @(Get-PfWmiRows 'SELECT NumberOfLogicalProcessors, TotalPhysicalMemory FROM Win32_ComputerSystem' @(
    'NumberOfLogicalProcessors', 'TotalPhysicalMemory'))) {
    $processors = $row['NumberOfLogicalProcessors']
    $memory = $row['TotalPhysicalMemory']
}
return @{ processors = $processors; memory_bytes = $memory }
