/**
 * A storage seen from below a prefix: what an extension stores cannot touch the registry's own
 * objects.
 */
import type { MultipartCapability, PresignCapability, StorageBackend } from '../../storage/blob/contract.js'
import { StorageError } from '../../storage/blob/errors.js'

/**
 * `prefix` ends in a slash. Has the capabilities of the storage; `check`, `ready`, `close` and
 * `sweepTemporary` stay the registry's.
 */
export function storageBelow(storage: StorageBackend, prefix: string): StorageBackend {
  const full = (key: string): string => {
    // backends refuse such keys too; here they would name something outside of the prefix
    if (key === '' || key.split('/').some((segment) => segment === '' || segment === '.' || segment === '..'))
      throw new StorageError('invalid-key', `not a key: ${JSON.stringify(key)}`, { backend: storage.name })
    return `${prefix}${key}`
  }
  const own = (key: string): string => key.slice(prefix.length)
  return {
    name: storage.name,
    limits: storage.limits,
    put: async (key, body, options) => storage.put(full(key), body, options),
    get: async (key, options) => storage.get(full(key), options),
    stat: async (key) => storage.stat(full(key)),
    delete: async (key) => storage.delete(full(key)),
    list: async function* (below) {
      for await (const found of storage.list(`${prefix}${below}`)) yield { ...found, key: own(found.key) }
    },
    ...(storage.prove && { prove: async (key, options) => storage.prove?.(full(key), options) }),
    ...(storage.multipart && { multipart: multipartBelow(storage.multipart, { prefix, full, own }) }),
    ...(storage.presign && { presign: presignBelow(storage.presign, { full, own }) }),
  }
}

interface Names {
  readonly full: (key: string) => string
  readonly own: (key: string) => string
}

function multipartBelow(
  multipart: MultipartCapability,
  { prefix, full, own }: Names & { readonly prefix: string },
): MultipartCapability {
  const { writePart } = multipart
  return {
    create: async (key, options) => multipart.create(full(key), options),
    ...(writePart && {
      writePart: async (body, options) => writePart.call(multipart, body, { ...options, key: full(options.key) }),
    }),
    listParts: async (upload) => multipart.listParts({ ...upload, key: full(upload.key) }),
    complete: async (options) => {
      const blob = await multipart.complete({ ...options, key: full(options.key) })
      return { ...blob, key: own(blob.key) }
    },
    abort: async (upload) => multipart.abort({ ...upload, key: full(upload.key) }),
    listUploads: async function* () {
      for await (const upload of multipart.listUploads())
        if (upload.key.startsWith(prefix)) yield { ...upload, key: own(upload.key) }
    },
  }
}

function presignBelow(presign: PresignCapability, { full }: Names): PresignCapability {
  const { part } = presign
  return {
    get bindsPayload() {
      return presign.bindsPayload
    },
    get uploadsBlocked() {
      return presign.uploadsBlocked
    },
    get: async (key, options) => presign.get(full(key), options),
    ...(part && { part: async (options) => part.call(presign, { ...options, key: full(options.key) }) }),
  }
}
