/**
 * Sends a file in parts: several at a time, each bound to its hash, tried again where they fail.
 * The registry says which parts it has, so an upload goes on after a pause, a reload or a crash.
 */
import type { Control } from '../core/control/control.js'
import type { Image, PartTarget, Upload } from '../core/control/records.js'
import { isRegistryError, RegistryError } from './errors.js'
import { hashOfBytes, hashOfFile } from './hashes.js'
import { unreachable } from './http.js'

/** Remembers uploads that were interrupted. Values are JSON. */
export interface UploadMemory {
  get(key: string): Promise<unknown> | unknown
  set(key: string, value: unknown): Promise<void> | void
  delete(key: string): Promise<void> | void
}

export interface UploadProgress {
  /** `reading`: its hash is made. `proving`: all is sent, and the registry reads it back. */
  readonly phase: 'reading' | 'sending' | 'proving'
  /** Bytes read or sent so far, of `total`. */
  readonly done: number
  readonly total: number
  /** Of the upload, once there is one. */
  readonly id?: string
}

export interface UploadOptions {
  /** `entity/collection/container`; made where it is missing. */
  readonly path: string
  readonly tags?: readonly string[]
  /** Of the tags. Default: what the image says. */
  readonly arch?: string
  readonly description?: string
  readonly onProgress?: (progress: UploadProgress) => void
  /**
   * Stops the sending; what has arrived stays, and the same call with the same `store` goes on
   * there.
   */
  readonly signal?: AbortSignal
  /** Where interrupted uploads are remembered. Default: nowhere. */
  readonly store?: UploadMemory
  /** Parts at once. Default: 4. */
  readonly parallel?: number
  /**
   * SHA-256 of the file in lower-case hex, where it is known; a function makes it, such as in a
   * worker.
   */
  readonly digest?:
    | string
    | ((
        file: Blob,
        options: { readonly onRead: (bytes: number) => void; readonly signal?: AbortSignal },
      ) => Promise<string>)
}

/** An upload under way: a promise of its image, that can be paused. */
export interface Uploading extends Promise<Image> {
  /** Sends no further part; those on their way go on. */
  pause(): void
  resume(): void
}

/** Tries of one part, or of one call of the registry, beside the first one. */
const maxRetries = 5
const firstPauseMs = 500

interface Remembered {
  readonly id: string
  readonly digest: string
}

const isRemembered = (value: unknown): value is Remembered =>
  typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string' && 'digest' in value

function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(finish, milliseconds)
    function finish(): void {
      signal?.removeEventListener('abort', cancel)
      resolve()
    }
    function cancel(): void {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', cancel, { once: true })
  })
}

/** What may go well when it is tried again: no answer, and a server that is busy or failed. */
const isPassing = (error: unknown): boolean =>
  isRegistryError(error) && (error.status === 0 || error.status === 408 || error.status === 429 || error.status >= 500)

async function withRetries<T>(work: (tries: number) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    signal?.throwIfAborted()
    try {
      return await work(tries)
    } catch (error) {
      if (!isPassing(error) || tries >= maxRetries) throw error
      // not all at the same moment
      await wait(firstPauseMs * 2 ** tries * (0.5 + Math.random()), signal)
    }
  }
}

/** A door that a pause closes. */
function createGate(): {
  readonly pause: () => void
  readonly resume: () => void
  readonly passed: () => Promise<void>
} {
  let open: (() => void) | undefined
  let closed: Promise<void> | undefined
  return {
    pause: () => {
      closed ??= new Promise((resolve) => {
        open = resolve
      })
    },
    resume: () => {
      open?.()
      closed = undefined
      open = undefined
    },
    passed: async () => {
      while (closed !== undefined) await closed
    },
  }
}

export function upload(
  { control, fetch: call }: { readonly control: Control; readonly fetch: typeof fetch },
  file: Blob,
  options: UploadOptions,
): Uploading {
  const gate = createGate()
  const sending = send({ control, call, file, options, passed: gate.passed })
  return Object.assign(sending, { pause: gate.pause, resume: gate.resume })
}

interface Sending {
  readonly control: Control
  readonly call: typeof fetch
  readonly file: Blob
  readonly options: UploadOptions
  readonly passed: () => Promise<void>
}

/** The same file, as far as can be told without reading it. */
function keyOf(file: Blob, { path, tags = [], arch = '' }: UploadOptions): string {
  const { name = '', lastModified = 0 } = file as Partial<{ readonly name: string; readonly lastModified: number }>
  return JSON.stringify([path, tags, arch, name, file.size, lastModified])
}

async function digestOf(file: Blob, { digest, onProgress, signal }: UploadOptions): Promise<string> {
  if (typeof digest === 'string') return digest
  const onRead = (done: number): void => onProgress?.({ phase: 'reading', done, total: file.size })
  const reading = { onRead, ...(signal !== undefined && { signal }) }
  return digest === undefined ? hashOfFile(file, reading) : digest(file, reading)
}

/** The upload that was interrupted, if it still takes parts. */
async function interrupted(
  { control, file, options: { store, signal } }: Sending,
  key: string,
): Promise<Upload | undefined> {
  const known = await store?.get(key)
  if (!isRemembered(known)) return undefined
  try {
    const found = await withRetries(() => control.uploads.get(known.id), signal)
    if ((found.state === 'open' || found.state === 'completing') && found.size === file.size) return found
  } catch (error) {
    if (!isRegistryError(error, 'not-found') && !isRegistryError(error, 'gone')) throw error
  }
  await store?.delete(key)
  return undefined
}

async function send(sending: Sending): Promise<Image> {
  const { control, file, options } = sending
  const { path, tags, arch, description, store, signal } = options
  const key = keyOf(file, options)
  let found = await interrupted(sending, key)
  if (found === undefined) {
    const digest = await digestOf(file, options)
    const started = await withRetries(
      () =>
        control.uploads.start({
          ...{ path, digest, size: file.size },
          ...(tags !== undefined && { tags }),
          ...(arch !== undefined && { arch }),
          ...(description !== undefined && { description }),
        }),
      signal,
    )
    if (started.state === 'present') return started.image
    await store?.set(key, { id: started.id, digest } satisfies Remembered)
    found = started
  }
  try {
    const image = await sendAndComplete(sending, found)
    await store?.delete(key)
    return image
  } catch (error) {
    // a refusal ends it; whatever stopped the sending does not
    if (isRegistryError(error) && !isPassing(error)) await store?.delete(key)
    throw error
  }
}

async function sendAndComplete(sending: Sending, started: Upload): Promise<Image> {
  const { control, file, options } = sending
  const { onProgress, signal } = options
  let missing = partNumbers(started).filter((number) => !(started.parts ?? []).some((part) => part.number === number))
  let proxy = false
  // a part may be lost once more than it was sent, by a store that restarts
  for (let round = 0; ; round += 1) {
    proxy = await sendParts(sending, { upload: started, missing, proxy })
    onProgress?.({ phase: 'proving', done: file.size, total: file.size, id: started.id })
    try {
      for (let asked = 0; ; asked += 1) {
        const answer = await withRetries(() => control.uploads.complete(started.id), signal)
        if (answer.state === 'completed') return answer.image
        await wait(Math.min(1000 * 1.5 ** asked, 15_000), signal)
      }
    } catch (error) {
      const lost = missingOf(error)
      if (lost === undefined || round >= maxRetries) throw error
      missing = lost
    }
  }
}

const partNumbers = ({ totalParts }: Upload): number[] => Array.from({ length: totalParts }, (_, index) => index + 1)

/** The parts that a refused completion says have not arrived. */
function missingOf(error: unknown): number[] | undefined {
  if (!isRegistryError(error, 'conflict')) return undefined
  const { missing } = (error.current ?? {}) as { readonly missing?: readonly number[] }
  return Array.isArray(missing) && missing.length > 0 ? [...missing] : undefined
}

/** Returns whether parts went through the registry, because its store could not be reached. */
async function sendParts(
  { control, call, file, options, passed }: Sending,
  plan: { readonly upload: Upload; readonly missing: readonly number[]; readonly proxy: boolean },
): Promise<boolean> {
  const { onProgress, signal, parallel = 4 } = options
  const { id, partSize } = plan.upload
  const left = [...plan.missing]
  let { proxy } = plan
  const sizeOf = (number: number): number => Math.min(partSize, file.size - (number - 1) * partSize)
  let done = file.size - left.reduce((sum, number) => sum + sizeOf(number), 0)
  const tell = (): void => onProgress?.({ phase: 'sending', done, total: file.size, id })
  // the first part that fails stops the others
  const stop = new AbortController()
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])

  const sendPart = async (number: number): Promise<void> => {
    const start = (number - 1) * partSize
    const bytes = await file.slice(start, start + sizeOf(number)).arrayBuffer()
    const sha256 = await hashOfBytes(bytes)
    await withRetries(async (tries) => {
      const question = { parts: [{ number, sha256 }], ...(proxy && { transfer: 'proxy' as const }) }
      const [target] = await control.uploads.parts(id, question)
      if (target === undefined) throw new RegistryError('no URL for the part', { reason: 'unknown', status: 500 })
      try {
        await put(call, target, { bytes, signal: either })
      } catch (error) {
        // the store can't be reached from here, or its CORS rule is missing: a browser tells
        // neither
        if (isRegistryError(error, 'unreachable') && tries >= 1) proxy = true
        throw error
      }
    }, either)
    done += bytes.byteLength
    tell()
  }

  const worker = async (): Promise<void> => {
    for (;;) {
      await passed()
      either.throwIfAborted()
      const number = left.shift()
      if (number === undefined) return
      await sendPart(number)
    }
  }

  tell()
  const workers = Array.from({ length: Math.max(1, Math.min(parallel, left.length)) }, worker)
  try {
    await Promise.all(workers)
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(workers)
    throw error
  }
  return proxy
}

async function put(
  call: typeof fetch,
  { url, headers, number }: PartTarget,
  { bytes, signal }: { readonly bytes: ArrayBuffer; readonly signal: AbortSignal },
): Promise<void> {
  let response: Response
  try {
    // no credentials: the URL is one
    response = await call(url, { method: 'PUT', headers: { ...headers }, body: bytes, credentials: 'omit', signal })
  } catch (cause) {
    throw unreachable(cause, signal)
  }
  await response.arrayBuffer().catch(() => {})
  if (response.ok) return
  signal.throwIfAborted()
  // a URL that has expired is asked for anew
  const status = response.status === 403 ? 503 : response.status
  throw new RegistryError(`part ${number} was refused: status ${response.status}`, { reason: 'part-refused', status })
}
