# Runs the probes one after the other and frames their answers. Plain language: no contact with Windows.

$PfOddCharacter = New-Object System.Text.RegularExpressions.Regex('[^ !#-\[\]-~]')
$PfAnswers = New-Object System.Text.StringBuilder
$PfMemo = @{}
$PfBegun = Get-PfTicks

# JSON in pure ASCII. A value is made of $null, booleans, numbers, strings, arrays and hashtables.
function Add-PfText($Builder, [string]$Text) {
    [void]$Builder.Append('"')
    $from = 0
    foreach ($odd in $PfOddCharacter.Matches($Text)) {
        [void]$Builder.Append($Text.Substring($from, $odd.Index - $from))
        [void]$Builder.Append(('\u{0:x4}' -f [int]$Text[$odd.Index]))
        $from = $odd.Index + 1
    }
    [void]$Builder.Append($Text.Substring($from))
    [void]$Builder.Append('"')
}

function Test-PfWhole($Value) {
    return (
        $Value -is [int] -or $Value -is [long] -or $Value -is [byte] -or $Value -is [uint32] -or
        $Value -is [uint64] -or $Value -is [int16] -or $Value -is [uint16] -or $Value -is [sbyte]
    )
}

function Add-PfJson($Builder, $Value, [int]$Depth) {
    if ($Depth -gt 16) {
        throw 'the value is nested too deeply'
    }
    $invariant = [System.Globalization.CultureInfo]::InvariantCulture
    if ($null -eq $Value) {
        [void]$Builder.Append('null')
    } elseif ($Value -is [bool]) {
        if ($Value) {
            [void]$Builder.Append('true')
        } else {
            [void]$Builder.Append('false')
        }
    } elseif (Test-PfWhole $Value) {
        [void]$Builder.Append($Value.ToString($invariant))
    } elseif ($Value -is [double] -or $Value -is [single]) {
        if ([double]::IsNaN($Value) -or [double]::IsInfinity($Value)) {
            throw 'the value holds a number that JSON cannot express'
        }
        [void]$Builder.Append($Value.ToString('R', $invariant))
    } elseif ($Value -is [decimal]) {
        [void]$Builder.Append($Value.ToString($invariant))
    } elseif ($Value -is [System.Collections.IDictionary]) {
        $comma = ''
        [void]$Builder.Append('{')
        foreach ($entry in $Value.GetEnumerator()) {
            [void]$Builder.Append($comma)
            Add-PfText $Builder ([string]$entry.Key)
            [void]$Builder.Append(':')
            Add-PfJson $Builder ($entry.Value) ($Depth + 1)
            $comma = ','
        }
        [void]$Builder.Append('}')
    } elseif ($Value -is [System.Collections.IList]) {
        $comma = ''
        [void]$Builder.Append('[')
        foreach ($item in $Value) {
            [void]$Builder.Append($comma)
            Add-PfJson $Builder $item ($Depth + 1)
            $comma = ','
        }
        [void]$Builder.Append(']')
    } else {
        Add-PfText $Builder ([string]$Value)
    }
}

# One line that says what went wrong, without PowerShell's wrapping of it.
function Get-PfErrorText($Record) {
    $cause = $Record.Exception
    while ($null -ne $cause.InnerException) {
        $cause = $cause.InnerException
    }
    $text = [System.Text.RegularExpressions.Regex]::Replace([string]$cause.Message, '\s+', ' ').Trim()
    if ($text.Length -gt 2000) {
        $text = $text.Substring(0, 2000)
    }
    return $text
}

# missing, denied, locked or unreadable, from the text of an accessor's error.
function Get-PfTextKind([string]$Text) {
    $kind = $Text.Split(':')[0]
    if (@('missing', 'denied', 'locked') -contains $kind) {
        return $kind
    }
    return 'unreadable'
}

function Invoke-PfProbe([string]$Id, [scriptblock]$Body) {
    if ($PfAnswers.Length -gt 0) {
        [void]$PfAnswers.Append(',')
    }
    Add-PfText $PfAnswers $Id
    $began = Get-PfClock
    if ($began -ge $PfBudgetMs) {
        [void]$PfAnswers.Append(':{"late":true}')
        return
    }
    $json = New-Object System.Text.StringBuilder
    $failure = $null
    try {
        $given = @(& $Body)
        $value = $null
        if ($given.Count -eq 1) {
            $value = $given[0]
        } elseif ($given.Count -gt 1) {
            $value = $given
        }
        Add-PfJson $json $value 0
    } catch {
        $failure = Get-PfErrorText $_
    }
    if ($null -ne $failure) {
        [void]$PfAnswers.Append(':{"error":')
        Add-PfText $PfAnswers $failure
    } elseif ($json.Length -gt $PfProbeBytes) {
        [void]$PfAnswers.Append(':{"cut":')
        Add-PfText $PfAnswers ($json.ToString(0, [System.Math]::Min(1000, $PfProbeBytes)))
    } else {
        [void]$PfAnswers.Append(':{"value":')
        [void]$PfAnswers.Append($json.ToString())
    }
    [void]$PfAnswers.Append(',"ms":')
    Add-PfJson $PfAnswers ((Get-PfClock) - $began) 0
    [void]$PfAnswers.Append('}')
}

function Write-PfAnswers {
    $json = New-Object System.Text.StringBuilder
    [void]$json.Append('{"powershell":')
    Add-PfText $json ([string]$PSVersionTable.PSVersion)
    [void]$json.Append(',"clr":')
    Add-PfText $json ([string][System.Environment]::Version)
    [void]$json.Append(',"mode":')
    Add-PfText $json ([string]$ExecutionContext.SessionState.LanguageMode)
    [void]$json.Append(',"budget_ms":')
    Add-PfJson $json $PfBudgetMs 0
    [void]$json.Append(',"begun":')
    Add-PfJson $json $PfBegun 0
    [void]$json.Append(',"ended":')
    Add-PfJson $json (Get-PfTicks) 0
    [void]$json.Append(',"probes":{')
    [void]$json.Append($PfAnswers.ToString())
    [void]$json.Append('}}')
    $plain = [System.Text.Encoding]::ASCII.GetBytes($json.ToString())
    $form = 'gzip'
    try {
        $memory = New-Object System.IO.MemoryStream
        $mode = [System.IO.Compression.CompressionMode]::Compress
        $zipper = New-Object System.IO.Compression.GZipStream($memory, $mode)
        $zipper.Write($plain, 0, $plain.Length)
        $zipper.Close()
        $packed = $memory.ToArray()
    } catch {
        $form = 'plain'
        $packed = $plain
    }
    Write-PfOutput ($PfNonce + ':' + $form + ':' + [System.Convert]::ToBase64String($packed) + ':' + $PfNonce)
}
