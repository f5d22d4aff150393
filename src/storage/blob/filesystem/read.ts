import type { FileHandle } from 'node:fs/promises'
import type { ByteStream } from '../contract.js'
import { throwIfAborted } from '../streams.js'
import { failure, NAME, toStorageError } from './errors.js'

export interface ReadFileOptions {
  readonly key: string
  readonly start: number
  /** Bytes to yield. */
  readonly length: number
  /** Bytes of one read at the most. */
  readonly bufferBytes: number
  readonly signal?: AbortSignal | undefined
}

const smallest = 64 * 1024
/**
 * Above this, chunks are a sixteenth of what was taken so far at the most: the socket swallows the
 * first megabytes at once, however slow the line behind it is.
 */
const quickly = 256 * 1024
/** A receiver that took its chunk within this time gets twice as much next, in milliseconds. */
const fastMs = 50
/** One that needed longer than this gets half. */
const slowMs = 1000

/**
 * The bytes of a file that stays open: its owner closes it. While the receiver works on a chunk the
 * next one is read, and a chunk that is handed back (see `ByteStream`) is read into again: fresh
 * memory costs more than the read. Chunks grow from 64 KiB to `bufferBytes` for a fast receiver and
 * shrink for a slow one, so that many slow ones cost little memory.
 */
export async function* readChunks(
  file: FileHandle,
  { key, start, length, bufferBytes, signal }: ReadFileOptions,
): AsyncGenerator<Uint8Array, void, Uint8Array | undefined> {
  let size = Math.min(smallest, bufferBytes)
  let spare: Buffer<ArrayBuffer> | undefined
  const read = async (offset: number): Promise<Buffer<ArrayBuffer>> => {
    const wanted = Math.min(size, length - offset)
    const buffer = spare !== undefined && spare.length >= wanted ? spare : Buffer.allocUnsafeSlow(wanted)
    spare = undefined
    const { bytesRead } = await file.read(buffer, 0, wanted, start + offset)
    if (bytesRead === 0) throw failure('internal', 'the file became shorter while it was read', { key })
    return buffer.subarray(0, bytesRead)
  }
  throwIfAborted(signal, { backend: NAME, key })
  let ahead = length > 0 ? read(0) : undefined
  try {
    for (let offset = 0; ahead !== undefined; ) {
      const chunk: Buffer<ArrayBuffer> = await ahead
      throwIfAborted(signal, { backend: NAME, key })
      offset += chunk.length
      ahead = offset < length ? read(offset) : undefined
      // awaited in the next round; until then its failure must not count as unhandled
      ahead?.catch(() => {})
      const begun = performance.now()
      const returned = yield chunk
      const took = performance.now() - begun
      if (took < fastMs && size * 2 <= Math.max(quickly, offset / 16)) size = Math.min(size * 2, bufferBytes)
      if (took > slowMs) size = Math.max(size / 2, Math.min(smallest, bufferBytes))
      const { buffer } = chunk
      spare =
        returned === chunk && buffer.byteLength >= size && buffer.byteLength < size * 2
          ? Buffer.from(buffer)
          : undefined
    }
  } finally {
    await ahead?.catch(() => {})
  }
}

/**
 * Closes the file of a body that nobody can reach any more: dropped without a single `next`, or
 * half-way without `return`.
 */
const forgotten = new FinalizationRegistry<FileHandle>((file) => {
  file.close().catch(() => {})
})

/**
 * The bytes of an open file, which is closed when the iteration ends, throws or is left, when
 * `return()` is called before it began, when the signal fires before it began, and, for a body that
 * is simply dropped, when the garbage collector finds it.
 */
export function readOpenFile(file: FileHandle, options: ReadFileOptions): ByteStream {
  const { key, signal } = options
  const chunks = readChunks(file, options)
  let begun = false
  const onAbort = () => {
    if (!begun) close().catch(() => {})
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  const close = async () => {
    signal?.removeEventListener('abort', onAbort)
    // Closing twice is no error.
    await file.close()
  }
  const body: AsyncIterator<Uint8Array, void, Uint8Array | undefined> & AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => body as AsyncIterator<Uint8Array>,
    async next(returned?: Uint8Array) {
      begun = true
      try {
        const result = await chunks.next(returned)
        if (result.done === true) await close()
        return result
      } catch (error) {
        await close()
        // A file that the signal closed before the first read.
        throwIfAborted(signal, { backend: NAME, key })
        throw toStorageError(error, key)
      }
    },
    async return() {
      await chunks.return()
      await close()
      return { done: true, value: undefined }
    },
  }
  forgotten.register(body, file)
  return body
}
