/** SHA-256 of files and of parts of them, as lower-case hex. */
import type { HashAnswer, HashQuestion } from './hash-worker.js'

/** In a worker, piece by piece: the browser's own SHA-256 takes no stream. Throws for a file that changed meanwhile. */
export function hashFile(
  file: Blob,
  { onProgress, signal }: { readonly onProgress?: (bytes: number) => void; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const worker = new Worker(new URL('./hash-worker.ts', import.meta.url), { type: 'module' })
  const work = new Promise<string>((resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    worker.onerror = ({ message }) => reject(new Error(message || 'the worker that reads files cannot be started'))
    worker.onmessage = ({ data }: MessageEvent<HashAnswer>) => {
      if (data.done !== undefined) onProgress?.(data.done)
      if (data.digest !== undefined) resolve(data.digest)
      if (data.error !== undefined) reject(new Error(data.error))
    }
    worker.postMessage({ file } satisfies HashQuestion)
  })
  return work.finally(() => worker.terminate())
}

const hex = (bytes: ArrayBuffer): string =>
  [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/** Of one part: by the browser itself, which is many times faster, where it offers that (https, or the own machine). */
export async function hashPart(part: Blob): Promise<string> {
  if (globalThis.crypto?.subtle === undefined) return hashFile(part)
  return hex(await crypto.subtle.digest('SHA-256', await part.arrayBuffer()))
}
