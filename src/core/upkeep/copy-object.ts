/**
 * Copies one object from a storage to another one under the same key, and proves on both sides that
 * it is the same.
 */
import { createHash, type Hash } from 'node:crypto'
import type { ByteRange, ByteStream, StorageBackend } from '../../storage/blob/contract.js'
import { isStorageError, StorageError } from '../../storage/blob/errors.js'
import { digestOfKey } from '../blobs/keys.js'
import { proveByReading } from '../blobs/prove.js'

export interface CopyContext {
  readonly from: StorageBackend
  readonly to: StorageBackend
  readonly signal: AbortSignal
  /** Told of bytes that arrived. */
  readonly onBytes: (bytes: number) => void
}

export interface CopiedObject {
  readonly key: string
  readonly size: number
}

/** The bytes of the source are not those that the key names. */
export class DamagedSource extends Error {}

/**
 * Objects of other keys than blobs (sidecars, the mark) name no digest; they are small, and read
 * before they are written.
 */
const smallBytes = 8 * 1024 ** 2
/** A part of what the target does not take in one piece. */
const partBytes = 512 * 1024 ** 2

/**
 * Throws DamagedSource, and whatever a storage throws. Nothing is readable at the target then.
 * An object that another copier wrote meanwhile is proven as if it were ours.
 */
export async function copyObject(context: CopyContext, object: CopiedObject): Promise<void> {
  const { to, signal } = context
  const sha256 = digestOfKey(object.key) ?? (await digestOfSource(context, object))
  const known = { ...object, sha256 }
  try {
    if (object.size > to.limits.maxPutSize) return await copyInParts(context, known)
    const { body, end } = readSource(context, object)
    await to.put(object.key, body, { size: object.size, sha256, signal }).catch(blameSource(known, end))
  } catch (error) {
    if (!isStorageError(error, 'exists')) throw error
  }
  await proveByReading(to, { ...known, signal })
}

async function digestOfSource(context: CopyContext, object: CopiedObject): Promise<string> {
  if (object.size > smallBytes)
    throw new StorageError('unsupported', `an object of ${object.size} bytes whose key names no SHA-256`, {
      backend: context.from.name,
      key: object.key,
    })
  const { body, end } = readSource({ ...context, onBytes: () => {} }, object)
  for await (const _ of body);
  return end()
}

interface SourceBytes {
  readonly body: ByteStream
  /** SHA-256 of all bytes that were read. */
  readonly end: () => string
}

function readSource(context: CopyContext, { key, range }: CopiedObject & { readonly range?: ByteRange }): SourceBytes {
  const hash = createHash('sha256')
  return { body: hashed(context, { key, hash, range }), end: () => hash.digest('hex') }
}

async function* hashed(
  { from, signal, onBytes }: CopyContext,
  { key, hash, range }: { readonly key: string; readonly hash: Hash; readonly range?: ByteRange },
): AsyncGenerator<Uint8Array> {
  const { body } = await from.get(key, { signal, range })
  for await (const chunk of body) {
    hash.update(chunk)
    yield chunk
    onBytes(chunk.length)
  }
}

/**
 * A target that refuses bytes for their digest may be right: then it is the source whose bytes are
 * damaged.
 */
const blameSource =
  ({ key, sha256 }: CopiedObject & { readonly sha256: string }, end: () => string) =>
  (error: unknown): never => {
    if (!isStorageError(error, 'digest-mismatch') || end() === sha256) throw error
    throw damaged(key)
  }

const damaged = (key: string): DamagedSource =>
  new DamagedSource(`the bytes of the source are not those that the key ${key} names`)

async function copyInParts(context: CopyContext, object: CopiedObject & { readonly sha256: string }): Promise<void> {
  const { to, signal } = context
  const { key, size, sha256 } = object
  const { multipart, limits } = to
  if (multipart?.writePart === undefined)
    throw new StorageError('unsupported', `an object of ${size} bytes, and the storage takes no parts from here`, {
      backend: to.name,
      key,
    })
  const partSize = Math.min(
    Math.max(partBytes, limits.minPartSize, Math.ceil(size / limits.maxParts)),
    limits.maxPartSize,
  )
  const ref = { key, ...(await multipart.create(key, { size, partSize })) }
  try {
    const hash = createHash('sha256')
    const parts: { readonly partNumber: number; readonly etag: string }[] = []
    for (let start = 0; start < size; start += partSize) {
      const end = Math.min(start + partSize, size) - 1
      const body = hashed(context, { key, hash, range: { start, end } })
      const part = { ...ref, partNumber: parts.length + 1, partSize, size: end - start + 1, signal }
      const { partNumber, etag } = await multipart.writePart(body, part)
      parts.push({ partNumber, etag })
    }
    if (hash.digest('hex') !== sha256) throw damaged(key)
    const finished = await multipart.complete({ ...ref, parts, size, sha256, signal })
    if (finished.key === key) return
    await to.delete(finished.key)
    throw new StorageError('unsupported', 'the storage gave the joined parts another key', { backend: to.name, key })
  } catch (error) {
    // the first failure says more
    await multipart.abort(ref).catch(() => {})
    throw error
  }
}
