# Runs the probes in a second runspace and watches them: what blocks there, no look at the clock in between would end.
# A call that does not return is refused from then on, and the probes go on in a run of their own; so a share that hangs
# costs its patience once. Where nothing blocks, all answers leave in one frame.

$PfStopwatch = [System.Diagnostics.Stopwatch]::StartNew()
$PfWatch = [System.Collections.Hashtable]::Synchronized(@{ turn = 0; access = $null; probe = $null })
$PfWatch['answers'] = [System.Collections.Hashtable]::Synchronized(@{})
$PfWatch['refused'] = [System.Collections.Hashtable]::Synchronized(@{})
$PfSent = @{}
$PfBlocks = @{}

# Both in ms: how long one call may take, and one probe, before it counts as blocked. Each leaves time for the others.
function Get-PfPatience($Since, [int]$Most, [double]$Share) {
    return [System.Math]::Max(200, [System.Math]::Min($Most, ($PfBudgetMs - $Since) * $Share))
}

# What there is since the last frame, as one line.
function Write-PfFrame([bool]$Last) {
    $comma = ''
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
    $asked = $PfWatch['probe']
    if ($Last) {
        [void]$json.Append(',"ended":')
        Add-PfJson $json (Get-PfTicks) 0
    } elseif ($null -ne $asked) {
        [void]$json.Append(',"at":')
        Add-PfText $json $asked['id']
    }
    [void]$json.Append(',"probes":{')
    foreach ($id in $PfProbeIds) {
        if ($PfWatch['answers'].ContainsKey($id) -and -not $PfSent.ContainsKey($id)) {
            [void]$json.Append($comma)
            Add-PfText $json $id
            [void]$json.Append(':')
            [void]$json.Append($PfWatch['answers'][$id])
            $PfSent[$id] = $true
            $comma = ','
        }
    }
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

function Set-PfAnswer([string]$Id, [string]$Kind, [string]$Text, $Milliseconds) {
    $answer = New-Object System.Text.StringBuilder
    [void]$answer.Append('{"' + $Kind + '":')
    Add-PfText $answer $Text
    [void]$answer.Append(',"ms":')
    Add-PfJson $answer ([long]$Milliseconds) 0
    [void]$answer.Append('}')
    $PfWatch['answers'][$Id] = $answer.ToString()
}

# One run of all probes that have no answer yet.
function Start-PfRun {
    $PfWatch['turn'] = $PfWatch['turn'] + 1
    $PfWatch['access'] = $null
    $PfWatch['probe'] = $null
    $runspace = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace()
    $runspace.Open()
    $given = @{ PfWatch = $PfWatch; PfStopwatch = $PfStopwatch; PfOption = $PfOption; PfTurn = $PfWatch['turn'] }
    $given['PfBudgetMs'] = $PfBudgetMs
    $given['PfProbeBytes'] = $PfProbeBytes
    $given['PfArguments'] = $null
    if (Test-PfRemoteSession) {
        $given['PfArguments'] = $PSSenderInfo.ApplicationArguments
    }
    $given['ErrorActionPreference'] = 'Stop'
    $given['ProgressPreference'] = 'SilentlyContinue'
    foreach ($entry in $given.GetEnumerator()) {
        $runspace.SessionStateProxy.SetVariable($entry.Key, $entry.Value)
    }
    $shell = [System.Management.Automation.PowerShell]::Create()
    $shell.Runspace = $runspace
    [void]$shell.AddScript($PfParts.ToString() + "`n" + $PfProbes.ToString())
    return @{ shell = $shell; runspace = $runspace; pending = $shell.BeginInvoke() }
}

# What the run is blocked in, or nothing: a call that does not return, or a probe that does not end.
function Get-PfBlock {
    $now = Get-PfClock
    $probe = $PfWatch['probe']
    $access = $PfWatch['access']
    if ($null -eq $probe) {
        return
    }
    $spent = $now - $probe['since']
    if ($null -ne $access -and $now - $access['since'] -ge (Get-PfPatience ($access['since']) 8000 0.3)) {
        return @{ id = $probe['id']; what = $access['what']; ms = ($now - $access['since']); spent = $spent }
    }
    if ($spent -ge (Get-PfPatience ($probe['since']) 45000 0.6) -or $now -ge $PfBudgetMs) {
        $what = ''
        if ($null -ne $access) {
            $what = $access['what']
        }
        return @{ id = $probe['id']; what = $what; ms = $spent; spent = $spent }
    }
}

# A call is refused from now on, and its probe tried again without it; else the probe is answered as blocked.
function Set-PfBlock($Block) {
    $times = 0
    if ($PfBlocks.ContainsKey($Block['id'])) {
        $times = $PfBlocks[$Block['id']]
    }
    $PfBlocks[$Block['id']] = $times + 1
    if ($Block['what'] -ne '') {
        $seconds = [System.Math]::Round($Block['ms'] / 1000.0, 1)
        $PfWatch['refused'][(Get-PfBlockedName $Block['what'])] = $seconds.ToString([System.Globalization.CultureInfo]::InvariantCulture)
    }
    if ($Block['what'] -eq '' -or $times -ge 2 -or (Get-PfClock) -ge $PfBudgetMs) {
        Set-PfAnswer $Block['id'] 'blocked' $Block['what'] $Block['spent']
    }
}

# Ends when the run does; what it is blocked in, or nothing, is kept with the watch, for what this gives is the frames. What
# is finished leaves now and then: a Receive of WinRM that waits in vain asks again as well.
function Wait-PfRun($Run, [int]$FlushMs) {
    $PfWatch['block'] = $null
    $next = (Get-PfClock) + $FlushMs
    while (-not $Run['pending'].AsyncWaitHandle.WaitOne(100, $false)) {
        $block = Get-PfBlock
        if ($null -ne $block) {
            $PfWatch['block'] = $block
            return
        }
        if ((Get-PfClock) -ge $PfBudgetMs) {
            $PfWatch['block'] = @{ id = ''; what = ''; ms = 0; spent = 0 }
            return
        }
        if ((Get-PfClock) -ge $next) {
            Write-PfFrame $false
            $next = (Get-PfClock) + $FlushMs
        }
    }
}

# Why the run ended although there are probes without an answer; empty where none is left.
function Complete-PfRun($Run) {
    $problem = ''
    try {
        [void]$Run['shell'].EndInvoke($Run['pending'])
    } catch {
        $problem = Get-PfErrorText $_
    }
    $Run['runspace'].Close()
    if ($null -ne $PfWatch['probe']) {
        if ($problem -eq '') {
            $problem = 'the probe ended the script: exit, or break to a label'
        }
        Set-PfAnswer ($PfWatch['probe']['id']) 'error' $problem ((Get-PfClock) - $PfWatch['probe']['since'])
        return ''
    }
    return $problem
}

# The probes that nobody got round to; with what kept the run, if it was one.
function Set-PfLate([string]$Problem) {
    $behind = ''
    foreach ($id in $PfProbeIds) {
        if ($PfBlocks.ContainsKey($id)) {
            $behind = $id
        }
    }
    foreach ($id in $PfProbeIds) {
        if (-not $PfWatch['answers'].ContainsKey($id)) {
            if ($Problem -ne '') {
                Set-PfAnswer $id 'error' $Problem 0
            } else {
                Set-PfAnswer $id 'late' $behind 0
            }
        }
    }
}

# Leaves nothing on the node: the programs that probes have started end with their runspace, if that can still be ended,
# or by name of their parent; and this process ends, whatever it is blocked in. Bounded, for the answer is out already.
# The process of a remote session is WinRM's, which may serve others in it, and ends it with the session.
function Stop-PfRuns($Stopping) {
    $until = (Get-PfClock) + $PfBudgetMs * 0.03
    foreach ($pending in $Stopping) {
        [void]$pending.AsyncWaitHandle.WaitOne([int][System.Math]::Max(0, $until - (Get-PfClock)), $false)
    }
    if (Test-PfRemoteSession) {
        return
    }
    $shell = [System.Management.Automation.PowerShell]::Create()
    [void]$shell.AddScript($PfParts.ToString() + "`n" + 'Stop-PfDescendants')
    [void]$shell.BeginInvoke().AsyncWaitHandle.WaitOne([int]($PfBudgetMs * 0.05), $false)
    Stop-PfProcess
}

function Watch-PfProbes {
    $stopping = @()
    $problem = ''
    for ($number = 0; $number -lt 2 * $PfProbeIds.Count + 6; $number = $number + 1) {
        $before = $PfWatch['answers'].Count
        $run = Start-PfRun
        Wait-PfRun $run ([int][System.Math]::Max(1000, $PfBudgetMs * 0.4))
        $block = $PfWatch['block']
        if ($null -eq $block) {
            $problem = Complete-PfRun $run
            if ($problem -ne '' -or $PfWatch['answers'].Count -eq $before) {
                break
            }
        } else {
            # It may never return: this runspace is left to itself.
            $PfWatch['turn'] = $PfWatch['turn'] + 1
            if ($block['id'] -ne '') {
                Set-PfBlock $block
            }
            $stopping += $run['shell'].BeginStop($null, $null)
        }
        if ($PfWatch['answers'].Count -ge $PfProbeIds.Count -or (Get-PfClock) -ge $PfBudgetMs) {
            break
        }
        if ($null -ne $block) {
            Write-PfFrame $false
        }
    }
    Set-PfLate $problem
    Write-PfFrame $true
    if ($stopping.Count -gt 0) {
        Stop-PfRuns $stopping
    }
}
