$key = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
return @{
    product_name = (Get-PfRegistryValue $key 'ProductName')
    current_version = (Get-PfRegistryValue $key 'CurrentVersion')
    major = (Get-PfRegistryValue $key 'CurrentMajorVersionNumber')
    minor = (Get-PfRegistryValue $key 'CurrentMinorVersionNumber')
    build = (Get-PfRegistryValue $key 'CurrentBuildNumber')
    service_pack = (Get-PfRegistryValue $key 'CSDVersion')
    product_type = (Get-PfRegistryValue 'HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions' 'ProductType')
}
