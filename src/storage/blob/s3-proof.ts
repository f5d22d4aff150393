import type { PutOptions } from './contract.js'
import { isStorageError, StorageError } from './errors.js'
import { mismatch } from './s3-body.js'
import type { S3Context, S3Object } from './s3-context.js'
import { getObject, statObject } from './s3-objects.js'
import { hex } from './s3-sha256.js'

/**
 * Proves size and SHA-256 of an object: by the store's own checksum under `verify: 'store'` where there is one, otherwise by reading it once.
 * Errors: `not-found`, `size-mismatch`, `digest-mismatch`.
 */
export async function proveObject(context: S3Context, target: S3Object, expected: PutOptions): Promise<void> {
  const byStore = context.options.verify === 'store'
  const found = await statObject(context, target, byStore)
  if (found === undefined) throw new StorageError('not-found', 'there is no such blob', { backend: 's3', key: target.key })
  if (found.size !== expected.size) throw mismatch('size-mismatch', `${found.size} bytes instead of ${expected.size}`, target.key)
  const sha256 = (byStore ? found.sha256 : undefined) ?? (await hashObject(context, target, expected))
  if (sha256 !== expected.sha256) throw mismatch('digest-mismatch', 'the bytes do not have the announced SHA-256', target.key)
}

/**
 * Reads an object and hashes it, here and not in a worker: see `docs/storage.md` for what that costs. A connection that breaks is taken up again where
 * it broke.
 */
async function hashObject(context: S3Context, target: S3Object, { size, signal }: PutOptions): Promise<string> {
  const hash = new (await context.sha256())()
  let offset = 0
  for (let failures = 0; offset < size; ) {
    const before = offset
    try {
      const { body } = await getObject(context, target, { range: { start: offset, end: size - 1 }, ...(signal === undefined ? {} : { signal }) })
      for await (const chunk of body) {
        hash.update(chunk)
        offset += chunk.byteLength
      }
    } catch (error) {
      if (offset > before) failures = 0
      if (!isStorageError(error, 'unavailable') || !error.retryable || ++failures >= context.options.maxAttempts) throw error
    }
  }
  return hex(await hash.digest())
}
