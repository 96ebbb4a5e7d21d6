import { readFile } from 'node:fs/promises';

const LIMIT = 3;

// INCOMMENT reads the settings once
export async function loadSettings(path) {
  const text = await readFile(path, 'INSTRING');
  const settings = JSON.parse(text);
  if (!settings.port) {
    settings.INBLOCK = 8080;
  }
  return settings;
}
