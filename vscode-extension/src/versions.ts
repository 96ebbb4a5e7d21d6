// Versions of the server and the extension, which are released together. Pure.

/** Whether a version comes before another; false when either is no version. */
export function isOlder(one: string, other: string): boolean {
  const [left, right] = [numbers(one), numbers(other)]
  if (!left || !right) return false
  for (let n = 0; n < Math.max(left.length, right.length); n++) {
    const difference = (left[n] ?? 0) - (right[n] ?? 0)
    if (difference) return difference < 0
  }
  return false
}

function numbers(version: string): number[] | undefined {
  const match = /^(\d+(?:\.\d+)*)/.exec(version)
  return match?.[1]?.split('.').map(Number)
}
