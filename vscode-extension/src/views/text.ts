// A page for what a command printed.

import { stripVTControlCharacters } from 'node:util'
import { code, page } from './html'

export function textPage(title: string, text: string): string {
  return page(title, code(stripVTControlCharacters(text).trimEnd()))
}
