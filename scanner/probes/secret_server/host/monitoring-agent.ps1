$services = 'HKLM\SYSTEM\CurrentControlSet\Services\'
return @{
    agent = (Test-PfRegistryKey ($services + 'HealthService'))
    apm = (Test-PfRegistryKey ($services + 'System Center Management APM'))
    apm_start = (Get-PfRegistryValue ($services + 'System Center Management APM') 'Start')
}
