/**
 * The body of an answer on its way to an adapter: how it ended, and an end for readers who stop for
 * good.
 */
import { LibraryError } from './errors.js'

/** In bytes: what a connection takes at once, whether its client reads or not. */
const largeBytes = 16 * 1024
/** In bytes: what of an answer is handed out at once. */
const pieceBytes = 64 * 1024

/**
 * What of an answer can stand still at a reader who stops; undefined for one that leaves at once.
 */
export function inPieces(answer: string | Uint8Array): AsyncIterable<Uint8Array> | undefined {
  if (Buffer.byteLength(answer) <= largeBytes) return undefined
  const bytes = Buffer.from(answer)
  return (async function* () {
    for (let start = 0; start < bytes.length; start += pieceBytes) yield bytes.subarray(start, start + pieceBytes)
  })()
}

export interface ReaderTimeoutOptions {
  /** How long the reader may leave the body alone, also before it begins, in seconds. */
  readonly idleSeconds: number
  /**
   * A shorter time, in seconds, that counts until so many bytes were handed out: buffers on the way
   * may have taken them, and its reader nothing. Default: none.
   */
  readonly start?: { readonly seconds: number; readonly bytes: number }
  /**
   * Called once: the body was read to its end, or left; with the error when it failed or was given
   * up.
   */
  readonly done: (error?: unknown) => void
}

export interface WatchedBody extends AsyncIterable<Uint8Array> {
  /**
   * For how long its reader has left it alone, in milliseconds; 0 while a chunk is on its way to
   * it.
   */
  idleMs(): number
  /** Ends it now. */
  giveUp(reason: string): void
}

/**
 * Passes a body on. Only the time between a chunk and the question for the next one counts, so
 * neither a slow reader that still reads nor a slow storage is cut: an adapter asks again once the
 * client took the chunk. Given up, the body closes what it holds open, and its next read throws
 * `timeout`.
 */
export function withReaderTimeout(body: AsyncIterable<Uint8Array>, options: ReaderTimeoutOptions): WatchedBody {
  const { idleSeconds, start, done } = options
  let iterator: AsyncIterator<Uint8Array, unknown, Uint8Array | undefined> | undefined
  let failure: LibraryError | undefined
  let open = true
  let asked = 0
  let taken = 0
  let leftAloneAt = performance.now()
  const begin = () =>
    (iterator ??= body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, unknown, Uint8Array | undefined>)
  const end = (error?: unknown): void => {
    if (!open) return
    open = false
    clearTimeout(timer)
    done(error)
  }
  const giveUp = (reason: string): void => {
    if (!open || failure !== undefined) return
    failure = new LibraryError('timeout', reason)
    Promise.resolve(begin().return?.()).then(
      () => end(failure),
      () => end(failure),
    )
  }
  let seconds = start?.seconds ?? idleSeconds
  // the next chunk starts the time again
  const onIdle = (): void => (asked > 0 ? undefined : giveUp(`no byte was taken for ${seconds} seconds`))
  const arm = () => setTimeout(onIdle, seconds * 1000).unref()
  // one timer serves all chunks: refresh() is far cheaper than a new one
  let timer = arm()
  const restart = (): void => {
    leftAloneAt = performance.now()
    if (seconds === idleSeconds || taken <= (start?.bytes ?? 0)) {
      timer.refresh()
      return
    }
    clearTimeout(timer)
    seconds = idleSeconds
    timer = arm()
  }
  const next = async (returned?: Uint8Array): Promise<IteratorResult<Uint8Array>> => {
    if (failure !== undefined) throw failure
    asked += 1
    try {
      const result = await begin().next(returned)
      if (result.done === true) end()
      else {
        taken += result.value.length
        if (open) restart()
      }
      return result as IteratorResult<Uint8Array>
    } catch (error) {
      end(error)
      throw error
    } finally {
      asked -= 1
    }
  }
  const leave = async (): Promise<IteratorResult<Uint8Array>> => {
    end()
    await begin().return?.()
    return { done: true, value: undefined }
  }
  return {
    idleMs: () => (asked > 0 ? 0 : performance.now() - leftAloneAt),
    giveUp,
    [Symbol.asyncIterator]: () => ({ next, return: leave }),
  }
}
