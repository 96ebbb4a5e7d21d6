// A language client whose messages go to the log only: what the user must hear is said once, by `client`.

import { LanguageClient } from 'vscode-languageclient/node'

export class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false)
  }

  override warn(message: string, data?: unknown): void {
    super.warn(message, data, false)
  }
}
