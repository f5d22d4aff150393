import type { ByteRange, ByteStream } from './contract.js'
import { StorageError } from './errors.js'

export interface ReadBodyOptions {
  /** Name of the backend, for errors. */
  readonly backend: string
  readonly key: string
  /** Bytes to come. */
  readonly size: number
  readonly signal?: AbortSignal | undefined
}

/**
 * The chunks of a body, held to `size`. Errors: `size-mismatch` at the first byte too many, or at
 * the end when bytes are missing; `aborted` as soon as the signal fires, also while the body
 * stalls, and when the body itself throws (its error is the `cause`). A body that is left early is
 * told so by `return()`, without waiting for it: a stalled one would never answer.
 */
export async function* readBody(body: ByteStream, options: ReadBodyOptions): AsyncGenerator<Uint8Array, void> {
  const { backend, key, size, signal } = options
  const abort = (cause: unknown, message: string) => new StorageError('aborted', message, { backend, key, cause })
  if (signal?.aborted) throw abort(signal.reason, 'the signal had fired before')

  // One rejection for the chunk that is awaited, set anew for each: a Promise.race against one
  // long-lived promise would keep every chunk alive.
  let stop: ((reason: unknown) => void) | undefined
  const onAbort = () => stop?.(abort(signal?.reason, 'stopped by the signal'))
  signal?.addEventListener('abort', onAbort, { once: true })
  const iterator = body[Symbol.asyncIterator]()
  let ended = false
  let received = 0
  try {
    while (true) {
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        stop = reject
        iterator.next().then(resolve, (error: unknown) => {
          ended = true
          reject(abort(error, 'the body failed'))
        })
      })
      // The signal may fire while the receiver works on a chunk.
      if (signal?.aborted) throw abort(signal.reason, 'stopped by the signal')
      if (next.done === true) {
        ended = true
        break
      }
      received += next.value.length
      if (received > size)
        throw new StorageError('size-mismatch', `more than the announced ${size} bytes`, { backend, key })
      if (next.value.length > 0) yield next.value
    }
    if (received < size)
      throw new StorageError('size-mismatch', `${received} bytes instead of the announced ${size}`, { backend, key })
  } finally {
    signal?.removeEventListener('abort', onAbort)
    if (!ended) iterator.return?.().catch(() => {})
  }
}

/**
 * Start and length of a range of a blob; without a range the whole. An end past the last byte means
 * the last byte. Errors: `invalid-range`.
 */
export function resolveRange(
  range: ByteRange | undefined,
  blob: { readonly backend: string; readonly key: string; readonly size: number },
): { start: number; length: number } {
  if (range === undefined) return { start: 0, length: blob.size }
  const { start, end } = range
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || start >= blob.size) {
    throw new StorageError('invalid-range', `no range ${start}-${end} in ${blob.size} bytes`, blob)
  }
  return { start, length: Math.min(end, blob.size - 1) - start + 1 }
}

/** Throws `aborted` when the signal has fired. */
export function throwIfAborted(
  signal: AbortSignal | undefined,
  blob: { readonly backend: string; readonly key: string },
): void {
  if (signal?.aborted) throw new StorageError('aborted', 'stopped by the signal', { ...blob, cause: signal.reason })
}

/**
 * Reads a stream to its end and hands each chunk back: `use` must be done with it when it returns.
 * Leaves the stream when `use` throws.
 */
export async function drain(stream: ByteStream, use: (chunk: Uint8Array) => void): Promise<void> {
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, unknown, Uint8Array | undefined>
  let result = await iterator.next()
  try {
    while (result.done !== true) {
      use(result.value)
      result = await iterator.next(result.value)
    }
  } catch (error) {
    await iterator.return?.()
    throw error
  }
}
