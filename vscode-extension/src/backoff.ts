// How long to wait before a server that ended is started again, and when to give up.

const WINDOW_MS = 180_000
const MOST = 5

export class Backoff {
  private ends: number[] = []

  /** Milliseconds to wait after an end at `now`, or undefined when there were too many of late. */
  next(now: number): number | undefined {
    this.ends = [...this.ends.filter((at) => now - at < WINDOW_MS), now]
    return this.ends.length > MOST ? undefined : 1000 * 2 ** (this.ends.length - 1)
  }

  reset(): void {
    this.ends = []
  }
}
