/** Signals of a server process. */

/** Resolves at the first SIGTERM or SIGINT. A second one ends the process at once, for somebody who does not want to wait. */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first = true
    const stop = (signal: NodeJS.Signals): void => {
      if (!first) process.exit(signal === 'SIGINT' ? 130 : 143)
      first = false
      resolve(signal)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}

/** Calls back at each SIGHUP, which would end the process otherwise. */
export function onHangup(reload: () => void): void {
  process.on('SIGHUP', reload)
}
