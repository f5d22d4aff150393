/** A registry whose storage hands out URLs of its own, as an object store does; nothing listens at them. */
import type { PresignPartOptions, StorageBackend } from '../../src/storage/blob/contract.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { createTestRegistry, streamOf, type TestRegistry, type TestRegistryOptions } from './registry.js'

export interface PresignedRegistry {
  readonly registry: TestRegistry
  /** What upload URLs were asked for with. */
  readonly parts: PresignPartOptions[]
  /** Sends bytes as if a client had PUT them to the URL that was asked for last. */
  send(bytes: Uint8Array): Promise<void>
  /** PUTs of `registry.call` to such a URL arrive from now on. */
  allowPut(): void
}

/** `pullTarget`: where pull URLs of the store lead now. */
export async function presignRegistry(
  options: TestRegistryOptions & { readonly pullTarget?: () => string } = {},
): Promise<PresignedRegistry> {
  const memory = memoryStorage()
  const { writePart } = memory.multipart ?? {}
  if (writePart === undefined) throw new Error('the memory takes no parts')
  const parts: PresignPartOptions[] = []
  let doesPut = false
  const origin = 'https://s3.example'
  const urlOf = (query: string) => ({ url: `${origin}/b/k?${query}`, headers: {}, expiresAt: new Date() })
  const storage: StorageBackend = {
    ...memory,
    presign: {
      bindsPayload: true,
      get: async () => ({
        ...urlOf('get&X-Amz-Signature=s'),
        ...(options.pullTarget !== undefined && { url: options.pullTarget() }),
      }),
      part: async (part) => {
        parts.push(part)
        return urlOf(`X-Amz-SignedHeaders=host${part.sha256 ? '%3Bx-amz-content-sha256' : ''}&X-Amz-Signature=s`)
      },
    },
  }
  const made = await createTestRegistry({ ...options, storage })
  const send = async (bytes: Uint8Array): Promise<void> => {
    const part = parts.at(-1)
    if (part === undefined) throw new Error('no URL was asked for')
    await writePart(streamOf(bytes), { ...part, partSize: part.size })
  }
  const registry: TestRegistry = {
    ...made,
    // the PUT that a client would send to the store
    call: async (method, path, call = {}) => {
      if (!doesPut || method !== 'PUT' || !path.startsWith(origin)) return made.call(method, path, call)
      await send(call.body as Uint8Array)
      return { status: 200, headers: {}, bytes: Buffer.alloc(0), text: '', json: undefined }
    },
  }
  return {
    registry,
    parts,
    send,
    allowPut: () => {
      doesPut = true
    },
  }
}
