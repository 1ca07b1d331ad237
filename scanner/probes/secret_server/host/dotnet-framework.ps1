return @{
    release = (Get-PfRegistryValue 'HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full' 'Release')
}
