/** Hashing files: by Node or WebCrypto where they are there, else by our own SHA-256. */
import { createSha256, type Sha256 } from './sha256.js'

/** Bytes that are read at once. */
const pieceBytes = 8 * 1024 * 1024

interface NodeHash {
  update(bytes: Uint8Array): unknown
  digest(encoding: 'hex'): string
}
interface NodeCrypto {
  createHash(name: 'sha256'): NodeHash
}

/** Node's own hash, asked for without an import that a browser or a bundler would trip over. */
function nodeCrypto(): NodeCrypto | undefined {
  const { process } = globalThis as { readonly process?: { readonly getBuiltinModule?: (name: string) => unknown } }
  return process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined
}

function newHash(): Sha256 {
  const hash = nodeCrypto()?.createHash('sha256')
  if (hash === undefined) return createSha256()
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') }
}

/**
 * SHA-256 of a whole file, read piece by piece. `onRead` is told how many bytes were read so far.
 */
export async function hashOfFile(
  file: Blob,
  { onRead, signal }: { readonly onRead?: (bytes: number) => void; readonly signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const hash = newHash()
  for (let at = 0; at < file.size; at += pieceBytes) {
    signal?.throwIfAborted()
    const end = Math.min(at + pieceBytes, file.size)
    hash.update(new Uint8Array(await file.slice(at, end).arrayBuffer()))
    onRead?.(end)
  }
  return hash.digest()
}

/** SHA-256 of what is in memory. WebCrypto is missing on plain http off loopback. */
export async function hashOfBytes(bytes: ArrayBuffer): Promise<string> {
  const subtle = globalThis.crypto?.subtle
  if (subtle === undefined) {
    const hash = newHash()
    hash.update(new Uint8Array(bytes))
    return hash.digest()
  }
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
