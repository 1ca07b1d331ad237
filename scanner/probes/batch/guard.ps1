# AppLocker and WDAC put PowerShell into a mode that forbids what follows: say so instead of failing line by line.
if (@('ConstrainedLanguage', 'RestrictedLanguage', 'NoLanguage') -contains [string]$ExecutionContext.SessionState.LanguageMode) {
    $PfNonce + ':mode:' + [string]$ExecutionContext.SessionState.LanguageMode + ':' + $PfNonce
    return
}
