return @{ pools = @(Get-PfPoolStates) }
