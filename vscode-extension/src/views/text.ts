// A page for what a command printed.

import { code, page } from './html'

export function textPage(title: string, text: string): string {
  return page(title, code(text.replace(/\x1b\[[0-9;]*m/g, '').trimEnd()))
}
