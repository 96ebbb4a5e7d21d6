param([string]$Root = ".")

Import-Module Backup
$Kept = 7

# INCOMMENT removes old backups
function Remove-OldBackup {
    param([int]$Days)
    $limit = (Get-Date).AddDays(-$Days)
    foreach ($file in Get-ChildItem $Root) {
        if ($file.LastWriteTime -lt $limit) {
            Write-Host "INSTRING"
            Remove-Item $file INBLOCK
        }
    }
}

Remove-OldBackup -Days 7
