/** The uploads of this page: each reads its file, sends its parts side by side, and publishes. They outlive the view. */
import { type Signal, signal } from '@preact/signals'
import { ApiError, api } from '../api/client.js'
import type { Image, Upload } from '../api/records.js'
import { t } from '../messages/messages.js'
import { announce } from '../state/announce.js'
import { hashFile } from './hash.js'
import { type RememberedUpload, remembered } from './memory.js'
import { sendPart, type Way } from './send-part.js'

export type Phase = 'waiting' | 'reading' | 'sending' | 'paused' | 'proving' | 'published' | 'failed'

export interface Destination {
  readonly path: string
  readonly tags: readonly string[]
}

/** What the page shows of an upload. */
export interface UploadState {
  readonly phase: Phase
  /** Bytes read or sent. */
  readonly done: number
  /** Bytes a second, lately. */
  readonly speed: number
  readonly parts: { readonly total: number; readonly done: ReadonlySet<number>; readonly active: ReadonlySet<number> }
  readonly error?: ApiError | undefined
  /** Nothing had to be sent. */
  readonly wasPresent?: boolean
  readonly image?: Image | undefined
}

export interface FileUpload {
  readonly key: number
  readonly file: File
  readonly arch: string | undefined
  /** Why it cannot be sent: it waits to be removed. */
  readonly refusal?: string | undefined
  readonly state: Signal<UploadState>
  readonly destination: Signal<Destination | undefined>
  start(destination: Destination): void
  pause(): void
  resume(): void
  cancel(): Promise<void>
}

const partsAtOnce = 4
const noParts = { total: 0, done: new Set<number>(), active: new Set<number>() }
const idle: UploadState = { phase: 'waiting', done: 0, speed: 0, parts: noParts }

/** All of them, oldest first. */
export const uploads: Signal<readonly FileUpload[]> = signal([])

/** Leaving the page would stop these. */
export const areUnderWay = (): boolean =>
  uploads.value.some(({ state }) => ['reading', 'sending', 'proving'].includes(state.value.phase))

const toApiError = (error: unknown): ApiError =>
  error instanceof ApiError
    ? error
    : new ApiError(error instanceof Error ? error.message : String(error), { status: 0, reason: 'internal' })

let lastKey = 0

interface NewFileUpload {
  readonly file: File
  readonly arch: string | undefined
  readonly refusal?: string | undefined
  /** Goes on where an earlier page stopped. */
  readonly earlier?: RememberedUpload | undefined
}

/** Makes an upload that waits for `start`, and adds it to the list. */
export function addUpload({ file, arch, refusal, earlier }: NewFileUpload): FileUpload {
  const state = signal<UploadState>(idle)
  const destination = signal<Destination | undefined>(
    earlier === undefined ? undefined : { path: earlier.path, tags: earlier.tags },
  )
  let id = earlier?.id
  let digest = earlier?.digest
  let controller = new AbortController()
  let isPausing = false
  const change = (part: Partial<UploadState>): void => {
    state.value = { ...state.value, ...part }
  }

  /** Reads the file once for its SHA-256; what was worked out before is kept. */
  async function read(): Promise<string> {
    change({ phase: 'reading', done: 0, error: undefined })
    return hashFile(file, { onProgress: (done) => change({ done }), signal: controller.signal })
  }

  async function begin({ path, tags }: Destination, sha256: string): Promise<Upload | undefined> {
    const started = await api.uploads.start({
      ...{ path, tags, digest: sha256, size: file.size },
      ...(arch !== undefined && { arch }),
    })
    if (started.state === 'present') {
      change({ phase: 'published', done: file.size, wasPresent: true, image: started.image })
      return undefined
    }
    id = started.id
    const { name, size, lastModified } = file
    await remembered.put({ ...{ id, path, tags, arch, name, size, lastModified }, digest: sha256 })
    return started
  }

  /** Sends what the registry does not have yet. */
  async function send(upload: Upload): Promise<void> {
    const { partSize, totalParts } = upload
    const done = new Set((upload.parts ?? []).map(({ number }) => number))
    const active = new Map<number, number>()
    const way: Way = { transfer: 'auto' }
    const missing = Array.from({ length: totalParts }, (_, index) => index + 1).filter((number) => !done.has(number))
    const sizeOf = (number: number): number => Math.min(partSize, file.size - (number - 1) * partSize)
    const marks: { readonly at: number; readonly sent: number }[] = []
    const show = (): void => {
      const sent =
        [...done].reduce((sum, number) => sum + sizeOf(number), 0) + [...active.values()].reduce((sum, n) => sum + n, 0)
      const now = performance.now()
      marks.push({ at: now, sent })
      while (marks.length > 2 && now - (marks[0]?.at ?? now) > 8000) marks.shift()
      const [first] = marks
      const speed = first === undefined || now - first.at < 500 ? 0 : ((sent - first.sent) / (now - first.at)) * 1000
      change({
        phase: isPausing ? 'paused' : 'sending',
        done: sent,
        speed: Math.max(0, speed),
        parts: { total: totalParts, done: new Set(done), active: new Set(active.keys()) },
      })
    }
    const lane = async (): Promise<void> => {
      for (let number = missing.shift(); number !== undefined && !isPausing; number = missing.shift()) {
        const part = number
        active.set(part, 0)
        show()
        try {
          await sendPart({
            ...{ upload: upload.id, number: part, way, signal: controller.signal },
            bytes: file.slice((part - 1) * partSize, (part - 1) * partSize + sizeOf(part)),
            onProgress: (sent) => {
              active.set(part, sent)
              show()
            },
          })
          done.add(part)
        } finally {
          active.delete(part)
        }
        show()
      }
    }
    show()
    await Promise.all(Array.from({ length: partsAtOnce }, lane))
  }

  async function complete(uploadId: string): Promise<void> {
    change({ phase: 'proving', done: file.size })
    for (;;) {
      const answer = await api.uploads.complete(uploadId)
      if (answer.state === 'completed') {
        change({ phase: 'published', image: answer.image })
        return
      }
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  }

  /** The upload that the registry knows of; undefined where it ended or ran out meanwhile. */
  async function known(): Promise<Upload | undefined> {
    if (id === undefined) return undefined
    try {
      const upload = await api.uploads.get(id, controller.signal)
      if (upload.state === 'open' || upload.state === 'completing') return upload
    } catch (error) {
      if (!(error instanceof ApiError) || ![404, 410].includes(error.status)) throw error
    }
    await remembered.delete(id)
    id = undefined
    return undefined
  }

  async function run(): Promise<void> {
    controller = new AbortController()
    isPausing = false
    const to = destination.value
    if (to === undefined) return
    try {
      digest ??= await read()
      const upload = (await known()) ?? (await begin(to, digest))
      if (upload === undefined) return
      await send(upload)
      // it was paused while the last parts flew
      if (isPausing) return
      await complete(upload.id)
      await remembered.delete(upload.id)
    } catch (error) {
      if (controller.signal.aborted) return
      const apiError = toApiError(error)
      change({ phase: 'failed', error: apiError })
      announce(t('upload.saidFailed', { file: file.name, reason: apiError.message }))
      controller.abort()
    } finally {
      if (state.value.phase === 'published') announce(t('upload.saidDone', { file: file.name }))
    }
  }

  lastKey += 1
  const upload: FileUpload = {
    ...{ key: lastKey, file, arch, refusal, state, destination },
    start: (to) => {
      destination.value = to
      void run()
    },
    pause: () => {
      if (state.value.phase === 'reading') controller.abort()
      isPausing = true
      change({ phase: 'paused' })
    },
    resume: () => void run(),
    cancel: async () => {
      controller.abort()
      uploads.value = uploads.value.filter((other) => other !== upload)
      if (id === undefined || state.value.phase === 'published') return
      await remembered.delete(id)
      // the sweep ends what cannot be ended now
      await api.uploads.abort(id).catch(() => undefined)
    },
  }
  uploads.value = [...uploads.value, upload]
  return upload
}

/** Compares what was remembered with a file that a person chose: size first, then all of its bytes. */
export async function isSameFile(earlier: RememberedUpload, file: File): Promise<'same' | 'size' | 'bytes'> {
  if (file.size !== earlier.size) return 'size'
  if (file.lastModified === earlier.lastModified && file.name === earlier.name) return 'same'
  return (await hashFile(file)) === earlier.digest ? 'same' : 'bytes'
}
