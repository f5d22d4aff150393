/** Lines that wait for each other, so that a busy server makes one system call for many of them. */

/** How long a line waits at the most, in milliseconds. */
const maxWaitMs = 100
/** Characters that are written without waiting. */
const maxLength = 16_384

export interface LineBuffer {
  readonly write: (line: string) => void
  /**
   * Writes what waits, now. Called at the end of the process too: until then the last lines are
   * here.
   */
  readonly flush: () => void
}

/** Hands lines to `write` in their order, many at a time. */
export function createLineBuffer(write: (text: string) => void): LineBuffer {
  let waiting = ''
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (waiting === '') return
    const text = waiting
    waiting = ''
    write(text)
  }
  return {
    flush,
    write: (line) => {
      waiting += line
      if (waiting.length >= maxLength) flush()
      // a line keeps no process alive
      else timer ??= setTimeout(flush, maxWaitMs).unref()
    },
  }
}
