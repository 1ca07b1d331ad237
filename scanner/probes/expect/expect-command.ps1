# A command of the inventory's own, run as it is given: whoever writes the inventory answers for it. It is sent only
# where the inventory has one.
function Get-PfExpectedCommand([string]$Command) {
    $told = @{ found = @{}; gaps = @{} }
    $global:LASTEXITCODE = 0
    $lines = @(& ([scriptblock]::Create($Command)) | Out-String -Stream -Width 500)
    $told['found']['exit'] = $global:LASTEXITCODE
    $told['found']['output'] = ($lines -join "`n")
    return $told
}
