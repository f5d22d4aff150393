/** One part on its way: a PUT with progress, tried again while that may help. */
import { ApiError, api } from '../api/client.js'
import { hashPart } from './hash.js'

const maxTries = 5

/** Parts go to the store; once the browser cannot reach it, through the registry. */
export interface Way {
  transfer: 'auto' | 'proxy'
}

interface PartOptions {
  readonly upload: string
  readonly number: number
  readonly bytes: Blob
  readonly way: Way
  readonly signal: AbortSignal
  readonly onProgress: (sent: number) => void
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })

/** Waits while the machine is offline. */
const online = (signal: AbortSignal): Promise<void> =>
  navigator.onLine
    ? Promise.resolve()
    : new Promise((resolve) => {
        window.addEventListener('online', () => resolve(), { once: true })
        signal.addEventListener('abort', () => resolve())
      })

/** Status of the answer; 0 = none came. `fetch` tells of no progress. */
function put(
  { url, headers }: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  { bytes, signal, onProgress }: Pick<PartOptions, 'bytes' | 'signal' | 'onProgress'>,
): Promise<number> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest()
    const abort = (): void => request.abort()
    signal.addEventListener('abort', abort)
    request.open('PUT', url)
    // the browser sets these itself, and allows no script to
    for (const [name, value] of Object.entries(headers))
      if (!['host', 'content-length'].includes(name)) request.setRequestHeader(name, value)
    request.upload.onprogress = ({ loaded }) => onProgress(loaded)
    request.onloadend = () => {
      signal.removeEventListener('abort', abort)
      resolve(request.status)
    }
    request.send(bytes)
  })
}

/** Whether asking again cannot help: the upload is gone, or it is not ours. */
const isFinal = (error: unknown): boolean =>
  error instanceof ApiError && error.status >= 400 && error.status < 500 && ![408, 429].includes(error.status)

/** Throws ApiError where the part could not be sent. */
export async function sendPart({ upload, number, bytes, way, signal, onProgress }: PartOptions): Promise<void> {
  const sha256 = await hashPart(bytes)
  let status = 0
  for (let attempt = 0; attempt < maxTries && !signal.aborted; attempt += 1) {
    if (attempt > 0) await pause(2 ** attempt * 500, signal)
    await online(signal)
    onProgress(0)
    try {
      const transfer = way.transfer === 'proxy' ? { transfer: 'proxy' as const } : {}
      const [target] = await api.uploads.parts(upload, { parts: [{ number, sha256 }], ...transfer }, signal)
      if (target === undefined) throw new ApiError('no URL for the part', { status: 500, reason: 'internal' })
      status = await put(target, { bytes, signal, onProgress })
      if (status >= 200 && status < 300) return
      const isForeign = new URL(target.url, location.href).origin !== location.origin
      // no answer from another origin: a proxy in between, or a store that does not know this page
      if (status === 0 && isForeign && navigator.onLine && !signal.aborted) way.transfer = 'proxy'
    } catch (error) {
      if (isFinal(error)) throw error
    }
  }
  if (signal.aborted) throw new DOMException('the upload was stopped', 'AbortError')
  throw new ApiError(`part ${number} could not be sent${status === 0 ? '' : ` (status ${status})`}`, {
    ...{ status, reason: status === 0 ? 'unreachable' : 'unavailable' },
  })
}
