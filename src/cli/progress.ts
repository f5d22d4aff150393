/**
 * How far long work is, on stderr: on a terminal one line that is written over, elsewhere a line
 * from time to time.
 */

/** Where the lines go; `process.stderr`. */
export interface ProgressStream {
  readonly isTTY?: boolean
  readonly write: (text: string) => unknown
}

export interface Progress {
  readonly show: (text: string) => void
  /** Takes the line away, before something else is written. */
  readonly clear: () => void
}

const onTerminalMs = 200
const elsewhereMs = 10 * 60_000

export function createProgress(stream: ProgressStream, now: () => number = () => performance.now()): Progress {
  const isTerminal = stream.isTTY === true
  const interval = isTerminal ? onTerminalMs : elsewhereMs
  // a cron job that ends soon sends no mail about it
  let shownAt = isTerminal ? Number.NEGATIVE_INFINITY : now()
  let isShown = false
  return {
    show: (text) => {
      if (now() - shownAt < interval) return
      shownAt = now()
      isShown = isTerminal
      stream.write(isTerminal ? `\r\u001b[K${text}` : `${text}\n`)
    },
    clear: () => {
      if (isShown) stream.write('\r\u001b[K')
      isShown = false
    },
  }
}
