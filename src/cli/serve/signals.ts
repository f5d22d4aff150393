/** Signals of a process that ends in good order. */

const codeOf = (signal: NodeJS.Signals): number => (signal === 'SIGINT' ? 130 : 143)

/**
 * Resolves at the first SIGTERM or SIGINT. A second one ends the process at once, for somebody who
 * does not want to wait.
 */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first = true
    const stop = (signal: NodeJS.Signals): void => {
      if (!first) process.exit(codeOf(signal))
      first = false
      resolve(signal)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}

/**
 * Work that the first SIGINT or SIGTERM ends after the thing that it is at, so that it can say how
 * far it came. Resolves to its exit code, or to that of a process which the signal ended.
 */
export async function untilDoneOrStopped(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const stopping = new AbortController()
  let stoppedBy: NodeJS.Signals | undefined
  void untilStopped().then((signal) => {
    stoppedBy = signal
    stopping.abort()
  })
  const exitCode = await work(stopping.signal)
  return stoppedBy === undefined ? exitCode : codeOf(stoppedBy)
}

/** Calls back at each SIGHUP, which would end the process otherwise. */
export function onHangup(reload: () => void): void {
  process.on('SIGHUP', reload)
}
