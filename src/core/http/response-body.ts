/** A body that was handed to an adapter: says once how it ended, and is given up when its reader stops for good. */
import { isUint8Array } from 'node:util/types'
import { LibraryError } from './errors.js'

/** In bytes: more than what a socket takes at once. */
const largeBytes = 256 * 1024

/** What of a body can stand still at a reader who stops; undefined for one that leaves at once. */
export function asStream(body: string | Uint8Array | AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> | undefined {
  if (typeof body !== 'string' && !isUint8Array(body)) return body
  if (Buffer.byteLength(body) < largeBytes) return undefined
  const bytes = Buffer.from(body)
  return (async function* () {
    for (let start = 0; start < bytes.length; start += largeBytes) yield bytes.subarray(start, start + largeBytes)
  })()
}

export interface HandedBodyOptions {
  /** How long the reader may leave the body alone, also before it begins, in seconds. */
  readonly idleSeconds: number
  /** Called once: the body was read to its end, or left; with the error when it failed or was given up. */
  readonly done: (error?: unknown) => void
}

/**
 * Passes a body on. Only the time between a chunk and the question for the next one counts, so neither a slow reader that still reads nor a slow storage is cut: an adapter asks
 * again once the client took the chunk. Given up, the body closes what it holds open, and its next read throws `timeout`.
 */
export function handOut(
  body: AsyncIterable<Uint8Array>,
  { idleSeconds, done }: HandedBodyOptions,
): AsyncIterable<Uint8Array> {
  let iterator: AsyncIterator<Uint8Array, unknown, Uint8Array | undefined> | undefined
  let failure: LibraryError | undefined
  let open = true
  let asked = 0
  const begin = () =>
    (iterator ??= body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, unknown, Uint8Array | undefined>)
  const end = (error?: unknown): void => {
    if (!open) return
    open = false
    clearTimeout(timer)
    done(error)
  }
  const giveUp = (): void => {
    // the next chunk starts the time again
    if (!open || asked > 0) return
    failure = new LibraryError('timeout', `no byte was taken for ${idleSeconds} seconds`)
    Promise.resolve(begin().return?.()).then(
      () => end(failure),
      () => end(failure),
    )
  }
  // one timer serves all chunks: refresh() is far cheaper than a new one
  const timer = setTimeout(giveUp, idleSeconds * 1000)
  timer.unref()
  const next = async (returned?: Uint8Array): Promise<IteratorResult<Uint8Array>> => {
    if (failure !== undefined) throw failure
    asked += 1
    try {
      const result = await begin().next(returned)
      if (result.done === true) end()
      else timer.refresh()
      return result
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
  return { [Symbol.asyncIterator]: () => ({ next, return: leave }) }
}
