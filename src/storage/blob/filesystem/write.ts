import type { Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

export interface WriteBodyOptions {
  /** Where the first byte goes. */
  readonly position: number
  /** Bytes to come, at the most: small bodies get small buffers. */
  readonly size: number
  /** Bytes of one write at the most. */
  readonly bufferBytes: number
  /** Fed with every byte. */
  readonly hashes: readonly Hash[]
}

const smallest = 64 * 1024
/**
 * A buffer that was filled within this time is followed by one of twice the size, in milliseconds.
 */
const fastMs = 50

/**
 * Writes a body into an open file. Chunks from a socket are 64 KiB, and a write per chunk through
 * the thread pool costs more than the hash does; so they are collected in two buffers, one of which
 * is written (and hashed meanwhile) while the other one fills. The buffers grow from 64 KiB to
 * `bufferBytes` while the body is fast: a thousand slow ones must not hold a thousand large ones.
 * No write is under way any more when this settles.
 */
export async function writeBody(
  body: AsyncIterable<Uint8Array>,
  file: FileHandle,
  options: WriteBodyOptions,
): Promise<void> {
  const { hashes } = options
  const largest = Math.max(1, Math.min(options.bufferBytes, options.size))
  let filling = Buffer.allocUnsafeSlow(Math.min(smallest, largest))
  let spare: Buffer<ArrayBuffer> | undefined
  let begun = performance.now()
  let filled = 0
  let position = options.position
  let pending: Promise<void> | undefined

  const flush = async () => {
    await pending
    const full = filling
    const bytes = full.subarray(0, filled)
    pending = writeWhole(file, bytes, position)
    // It is awaited below; until then its failure must not count as unhandled.
    pending.catch(() => {})
    for (const hash of hashes) hash.update(bytes)
    position += filled
    filled = 0
    const now = performance.now()
    const capacity = now - begun < fastMs ? Math.min(full.length * 2, largest) : full.length
    begun = now
    filling = spare?.length === capacity ? spare : Buffer.allocUnsafeSlow(capacity)
    spare = full
  }

  try {
    for await (const chunk of body) {
      for (let offset = 0; offset < chunk.length; ) {
        const taken = Math.min(chunk.length - offset, filling.length - filled)
        filling.set(chunk.subarray(offset, offset + taken), filled)
        offset += taken
        filled += taken
        if (filled === filling.length) await flush()
      }
    }
    if (filled > 0) await flush()
    await pending
  } finally {
    await pending?.catch(() => {})
  }
}

async function writeWhole(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, offset, bytes.length - offset, position + offset)
    offset += bytesWritten
  }
}
