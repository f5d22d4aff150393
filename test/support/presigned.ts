/** A registry whose storage hands out URLs of its own, as an object store does; nothing listens at them. */
import type { PresignPutOptions, StorageBackend } from '../../src/storage/blob/contract.js'
import { memoryStorage } from '../../src/storage/blob/memory.js'
import { createTestRegistry, streamOf, type TestRegistry, type TestRegistryOptions } from './registry.js'

export interface PresignedRegistry {
  readonly registry: TestRegistry
  /** What upload URLs were asked for with. */
  readonly puts: PresignPutOptions[]
  /** Bytes as if a client had PUT them to the store. */
  store(key: string, bytes: Uint8Array, sha256: string): Promise<void>
  /** Upload URLs come from the registry itself from now on, and only pulls go to the store. */
  allowProxyPut(): void
}

/** `pullTarget`: where pull URLs of the store lead now. */
export async function presignRegistry(
  options: TestRegistryOptions & { readonly pullTarget?: () => string } = {},
): Promise<PresignedRegistry> {
  const memory = memoryStorage()
  const puts: PresignPutOptions[] = []
  let proxyPut = false
  const urlOf = (query: string) => ({ url: `https://s3.example/b/k?${query}`, headers: {}, expiresAt: new Date() })
  const pending = new Map<string, string>()
  let publicUrl = ''
  const storage: StorageBackend = {
    ...memory,
    presign: {
      bindsPayload: true,
      get: async () => ({
        ...urlOf('get&X-Amz-Signature=s'),
        ...(options.pullTarget !== undefined && { url: options.pullTarget() }),
      }),
      put: async (key, put) => {
        puts.push(put)
        if (proxyPut) {
          pending.set(put.sha256, key)
          return { ...urlOf(''), url: `${publicUrl}/test-put/${put.sha256}` }
        }
        return urlOf(
          put.clientSendsNoHash === true
            ? 'X-Amz-SignedHeaders=host&X-Amz-Signature=s'
            : 'X-Amz-SignedHeaders=host%3Bx-amz-content-sha256&X-Amz-Signature=s',
        )
      },
      part: async () => urlOf('part&X-Amz-Signature=s'),
      finish: async (key) => ({ key, proof: 'proven' }),
    },
  }
  const made = await createTestRegistry({ ...options, storage })
  publicUrl = made.publicUrl
  const store = (key: string, bytes: Uint8Array, sha256: string): Promise<void> =>
    memory.put(key, streamOf(bytes), { size: bytes.length, sha256 })
  const registry: TestRegistry = {
    ...made,
    // the PUT that a client would send to the store
    call: async (method, path, call = {}) => {
      const sha256 = path.startsWith(`${publicUrl}/test-put/`) ? (path.split('/').at(-1) ?? '') : undefined
      if (sha256 === undefined) return made.call(method, path, call)
      await store(pending.get(sha256) ?? '', call.body as Uint8Array, sha256)
      return { status: 200, headers: {}, bytes: Buffer.alloc(0), text: '', json: undefined }
    },
  }
  return {
    registry,
    puts,
    store,
    allowProxyPut: () => {
      proxyPut = true
    },
  }
}
