import { StorageError } from '../errors.js'

/** The optional peers of S3 storage: whoever misses one most often misses all. */
const peers = ['@aws-sdk/client-s3', '@smithy/signature-v4', '@smithy/protocol-http'] as const

/**
 * Imports an optional peer when it is first needed; StorageError `unsupported` names it, and the
 * line that installs all, where it is missing.
 */
export async function importPeer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const packages = [...new Set([...peers, name])].join(' ')
    throw new StorageError('unsupported', `S3 storage needs the package ${name}: npm install ${packages}`, {
      backend: 's3',
      cause,
    })
  }
}
