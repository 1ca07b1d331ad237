# Runs the probes one after the other and keeps their answers for the watch. Plain language: no contact with Windows.

$PfOddCharacter = New-Object System.Text.RegularExpressions.Regex('[^ !#-\[\]-~]')
$PfMemo = @{}

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

# A probe that an earlier run has answered is not run again. One that leaves the script (exit) ends this run: the watch
# begins another for what is left.
function Invoke-PfProbe([string]$Id, [scriptblock]$Body) {
    if ($PfWatch['turn'] -ne $PfTurn -or $PfWatch['answers'].ContainsKey($Id)) {
        return
    }
    $began = Get-PfClock
    if ($began -ge $PfBudgetMs) {
        return
    }
    $PfWatch['probe'] = @{ id = $Id; since = $began }
    $json = New-Object System.Text.StringBuilder
    $failure = $null
    $left = $true
    try {
        # In a loop of its own, so that a stray break or continue ends no more than this probe.
        foreach ($once in @(1)) {
            $given = @(& $Body)
            $left = $false
        }
        if ($left) {
            throw 'the probe left its script with break or continue'
        }
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
    $answer = New-Object System.Text.StringBuilder
    if ($null -ne $failure) {
        [void]$answer.Append('{"error":')
        Add-PfText $answer $failure
    } elseif ($json.Length -gt $PfProbeBytes) {
        [void]$answer.Append('{"cut":')
        Add-PfText $answer ($json.ToString(0, [System.Math]::Min(1000, $PfProbeBytes)))
    } else {
        [void]$answer.Append('{"value":')
        [void]$answer.Append($json.ToString())
    }
    [void]$answer.Append(',"ms":')
    Add-PfJson $answer ((Get-PfClock) - $began) 0
    [void]$answer.Append('}')
    if ($PfWatch['turn'] -eq $PfTurn) {
        $PfWatch['answers'][$Id] = $answer.ToString()
        $PfWatch['probe'] = $null
    }
}
