return Get-PfIis
