if (-not $PfOption['online']) {
    return @{ asked = $false; attempts = @(); proxies = @(); proxy_error = '' }
}
$proxies = @()
$problem = ''
try {
    $software = 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings'
    # The ninth byte holds flags, of which 2 is a proxy.
    $winhttp = Get-PfRegistryHex ($software + '\Connections') 'WinHttpSettings'
    if ($winhttp.Length -ge 18 -and ([System.Convert]::ToInt32($winhttp.Substring(16, 2), 16) -band 2) -ne 0) {
        $proxies += 'WinHTTP'
    }
    foreach ($key in @($software, 'HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings')) {
        $enabled = Get-PfRegistryText $key 'ProxyEnable'
        $automatic = Get-PfRegistryText $key 'AutoConfigURL'
        if (($enabled -eq '1' -or $automatic -ne '') -and $proxies -notcontains 'WinINET') {
            $proxies += 'WinINET'
        }
    }
} catch {
    $problem = Get-PfErrorText $_
}
$patience = [int][System.Math]::Max(500, [System.Math]::Min(4000, ($PfBudgetMs - (Get-PfClock)) / 3))
return @{ asked = $true; attempts = @(Get-PfConnections $targets $patience); proxies = $proxies; proxy_error = $problem }
