import { StorageError } from '../errors.js'

/** Imports an optional peer when it is first needed; StorageError `unsupported` names the package to install where it is missing. */
export async function importPeer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    throw new StorageError('unsupported', `the package ${name} is needed for S3 storage: npm install ${name}`, {
      backend: 's3',
      cause,
    })
  }
}
