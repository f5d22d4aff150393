import type { FinishedBlob, PutOptions } from '../contract.js'
import { isStorageError, StorageError } from '../errors.js'
import type { S3Context, S3Object } from './context.js'
import { copyObject } from './copy.js'
import { deleteObject, statObject } from './objects.js'
import { proveObject } from './proof.js'

/**
 * Moves what came in at the staging key to its own key and proves it there. The order matters: a
 * URL for the staging key may still be valid, so only bytes that were copied away from it can be
 * trusted after their proof. What fails its proof is deleted in both places. Repeatable after a
 * crash at any point. Errors: `not-found`, `size-mismatch`, `digest-mismatch`.
 */
export async function publishStaged(context: S3Context, key: string, expected: PutOptions): Promise<FinishedBlob> {
  const from: S3Object = { key, object: context.keys.staging(key) }
  const to: S3Object = { key, object: context.keys.object(key) }
  try {
    await copyObject(context, from, to, expected.size)
  } catch (error) {
    // somebody who finishes the same upload at this moment may have moved it before us
    if (!isStorageError(error, 'not-found') || (await statObject(context, to)) === undefined) throw error
  }
  const finished = await publishInPlace(context, to, expected).catch(async (error: unknown) => {
    if (isMismatch(error)) await deleteObject(context, from)
    throw error
  })
  await deleteObject(context, from)
  return finished
}

/**
 * Proves what lies at its own key, or says under `verify: 'background'` that it is unproven. What
 * fails its proof is deleted.
 */
export async function publishInPlace(
  context: S3Context,
  target: S3Object,
  expected: PutOptions,
): Promise<FinishedBlob> {
  const { key } = target
  try {
    if (context.options.verify !== 'background') {
      await proveObject(context, target, expected)
      return { key, proof: 'proven' }
    }
    checkSize(target, await statObject(context, target), expected.size)
    return { key, proof: 'unproven' }
  } catch (error) {
    if (isMismatch(error)) await deleteObject(context, target)
    throw error
  }
}

export function checkSize({ key }: S3Object, found: { readonly size: number } | undefined, size: number): void {
  if (found === undefined) throw new StorageError('not-found', 'there is no such blob', { backend: 's3', key })
  if (found.size !== size)
    throw new StorageError('size-mismatch', `${found.size} bytes instead of ${size}`, { backend: 's3', key })
}

function isMismatch(error: unknown): boolean {
  return isStorageError(error, 'digest-mismatch') || isStorageError(error, 'size-mismatch')
}
