// What helps when an installation failed, by what pip and Python said. Pure.

const REMEDIES: [said: RegExp, remedy: string][] = [
  [/ensurepip is not|No module named '?(ensurepip|venv)/i, "This Python has no venv: install your system's package for it (python3-venv on Debian and Ubuntu), or set midfill.server.python to another Python."],
  [/No space left on device|ENOSPC/i, 'The disk is full: about 2 GB are needed in the extension\'s storage.'],
  [/externally-managed-environment/i, 'midfill.server.python must be a Python that can make environments.'],
  [/CERTIFICATE_VERIFY_FAILED|SSLError/i, "The certificate of the package index is not trusted: tell pip of your network's (pip config set global.cert FILE)."],
  [/ProxyError|407 Proxy/i, 'The proxy refused: set it in pip\'s configuration (pip config set global.proxy URL).'],
  [/Failed to establish a new connection|NewConnectionError|Name or service not known|Temporary failure in name resolution|Network is unreachable|ConnectTimeoutError|Read timed out/i, 'The package index cannot be reached: set a proxy in pip\'s configuration, or wheels of your own with midfill.server.pipOptions (--no-index, --find-links FOLDER).'],
  [/requires a different Python|Requires-Python/i, 'This Python is too old or too new for it: set midfill.server.python to another one (3.11 or newer).'],
  [/Could not find a version|No matching distribution|Invalid requirement|the file does not exist|neither .*setup\.py.* nor .*pyproject\.toml/i, 'There is no such package where pip looks: midfill.server.package may also be a wheel or a folder.'],
  [/Permission denied|EACCES/i, "The extension's storage cannot be written: see its owner and its rights."],
]

/** A sentence that says what to do, or "". */
export function remedyFor(said: string): string {
  return REMEDIES.find(([pattern]) => pattern.test(said))?.[1] ?? ''
}
