import type { FileHandle } from 'node:fs/promises'
import type { ByteStream } from './contract.js'
import { failure, NAME, toStorageError } from './filesystem-errors.js'
import { throwIfAborted } from './streams.js'

export interface ReadFileOptions {
  readonly key: string
  readonly start: number
  /** Bytes to yield. */
  readonly length: number
  /** Bytes of one read. */
  readonly bufferBytes: number
  readonly signal?: AbortSignal | undefined
}

/** The bytes of a file that stays open: its owner closes it. */
export async function* readChunks(file: FileHandle, { key, start, length, bufferBytes, signal }: ReadFileOptions): AsyncGenerator<Uint8Array, void> {
  for (let offset = 0; offset < length; ) {
    throwIfAborted(signal, { backend: NAME, key })
    // A fresh buffer each time: the chunk belongs to the receiver.
    const buffer = Buffer.allocUnsafeSlow(Math.min(bufferBytes, length - offset))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start + offset)
    if (bytesRead === 0) throw failure('internal', 'the file became shorter while it was read', { key })
    throwIfAborted(signal, { backend: NAME, key })
    offset += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** Closes the file of a body that nobody can reach any more: dropped without a single `next`, or half-way without `return`. */
const forgotten = new FinalizationRegistry<FileHandle>((file) => {
  file.close().catch(() => {})
})

/**
 * The bytes of an open file, which is closed when the iteration ends, throws or is left, when `return()` is called before it began, when the signal fires before
 * it began, and, for a body that is simply dropped, when the garbage collector finds it.
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
  const body: AsyncIterableIterator<Uint8Array> = {
    [Symbol.asyncIterator]: () => body,
    async next() {
      begun = true
      try {
        const result = await chunks.next()
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
