# INCOMMENT removes old logs
function Remove-OldLogs($Path) {
    $files = Get-ChildItem $Path
    foreach ($file in $files) {
        Remove-Item INBLOCK
    }
    Write-Output "INSTRING"
}
