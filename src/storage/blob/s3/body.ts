import { Readable } from 'node:stream'
import type { ByteStream } from '../contract.js'
import { StorageError } from '../errors.js'
import { readBody } from '../streams.js'
import { hex, type Sha256 } from './sha256.js'

export interface ExpectedBytes {
  readonly size: number
  /** Absent: only the size is checked. */
  readonly sha256?: string
}

export interface BodyOptions extends ExpectedBytes {
  readonly key: string
  readonly Sha256: Sha256
  readonly signal?: AbortSignal
}

/**
 * Up to this size a body is held in memory, so that a call on a broken socket can be tried again.
 */
const BUFFERED_BYTES = 1024 * 1024

/**
 * Sends `body` while checking it. The last chunk is held back until size and SHA-256 are proven, so
 * the store never receives a wrong body whole, whatever it checks itself. `send` gets bytes or a
 * stream, and a signal that fires when the caller gives up or the body turns out wrong.
 */
export async function sendBody<T>(
  body: ByteStream,
  options: BodyOptions,
  send: (body: Uint8Array | Readable, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const failed = new AbortController()
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal])
  let failure: { readonly error: unknown } | undefined
  const checked = checkBytes(body, options)
  if (options.size <= BUFFERED_BYTES) return send(await collect(checked), signal)

  const stream = Readable.from(checked, { objectMode: false, highWaterMark: 256 * 1024 })
  stream.on('error', (error) => {
    failure ??= { error }
    // the SDK pipes the stream and would wait for its end for ever
    failed.abort(error)
  })
  try {
    return await send(stream, signal)
  } catch (error) {
    // a wrong or broken body is the reason, the broken request only what followed
    if (failure !== undefined && options.signal?.aborted !== true) throw failure.error
    throw error
  } finally {
    stream.destroy()
  }
}

/**
 * Yields the bytes and throws `size-mismatch`, `digest-mismatch` or `aborted` before the last of
 * them.
 */
async function* checkBytes(
  body: ByteStream,
  { size, sha256, key, Sha256, signal }: BodyOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = sha256 === undefined ? undefined : new Sha256()
  let held: Uint8Array | undefined
  for await (const chunk of readBody(body, { backend: 's3', key, size, signal })) {
    hash?.update(chunk)
    if (held !== undefined) yield held
    held = chunk
  }
  if (hash !== undefined && hex(await hash.digest()) !== sha256)
    throw mismatch('digest-mismatch', 'the bytes do not have the announced SHA-256', key)
  if (held !== undefined) yield held
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts)
}

export function mismatch(code: 'size-mismatch' | 'digest-mismatch', message: string, key: string): StorageError {
  return new StorageError(code, message, { backend: 's3', key })
}
