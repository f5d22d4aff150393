import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CreateMultipartOptions, MultipartRef } from '../contract.js'
import { failure, isAbsent, NAME } from './errors.js'
import { type Layout, removeTemporary, temporaryBeside, uploadPath } from './layout.js'
import { type JournalState, replayJournal } from './part-journal.js'

/** `upload.json` of an upload. */
export interface UploadManifest {
  readonly key: string
  readonly size: number
  readonly partSize: number
  /** RFC 3339. */
  readonly createdAt: string
}

export interface FoundUpload extends UploadManifest {
  readonly backend: string
  readonly folder: string
}

/** Makes the folder of an upload aside and moves it in place whole. */
export async function createUpload(
  layout: Layout,
  manifest: CreateMultipartOptions & { readonly key: string },
): Promise<string> {
  const { key, size, partSize } = manifest
  const uploadId = randomUUID()
  // beside the others: no rename between two folders that may lie on two mounts
  const folder = temporaryBeside(layout.uploads)
  try {
    await mkdir(folder, { mode: 0o700 })
    const written: UploadManifest = { key, size, partSize, createdAt: new Date().toISOString() }
    for (const [name, text] of Object.entries({ 'upload.json': JSON.stringify(written), data: '', journal: '' })) {
      await writeFile(join(folder, name), text, { mode: 0o600, flag: 'wx' })
    }
    await rename(folder, join(layout.uploads, uploadId))
    return uploadId
  } catch (error) {
    await removeTemporary(folder)
    throw error
  }
}

/** Errors: `upload-not-found`, also for an id of another key. */
export async function findUpload(layout: Layout, { key, uploadId }: MultipartRef): Promise<FoundUpload> {
  const folder = uploadPath(layout, uploadId)
  const manifest = folder === undefined ? undefined : await readManifest(folder)
  if (folder === undefined || manifest === undefined || manifest.key !== key) throw uploadNotFound(key)
  return { ...manifest, backend: NAME, folder }
}

export function uploadNotFound(key: string): Error {
  return failure('upload-not-found', 'no such upload', { key })
}

export async function readJournal(folder: string, key: string): Promise<JournalState> {
  try {
    return replayJournal(await readFile(join(folder, 'journal'), 'utf8'))
  } catch (error) {
    if (isAbsent(error)) throw uploadNotFound(key)
    throw error
  }
}

/**
 * Moves an upload out of everybody's reach, to be completed or removed; the new path. One caller at
 * most gets it, in whatever process. Who opens its files by their old path afterwards finds
 * nothing, and who opened them before finds that out by {@link findUpload} once its `begin` stands
 * in the journal.
 */
export async function claimUpload(layout: Layout, upload: FoundUpload): Promise<string> {
  const claimed = temporaryBeside(layout.uploads)
  try {
    // `sweepTemporary` goes by this time, and the upload may be old.
    const now = new Date()
    await utimes(upload.folder, now, now)
    await rename(upload.folder, claimed)
    return claimed
  } catch (error) {
    if (isAbsent(error)) throw uploadNotFound(upload.key)
    throw error
  }
}

/** Moves a claimed upload back: it goes on. */
export async function releaseUpload(upload: FoundUpload, claimed: string): Promise<void> {
  await rename(claimed, upload.folder)
}

export async function* listUploads(layout: Layout): AsyncGenerator<MultipartRef & { readonly createdAt: Date }, void> {
  for (const uploadId of await readdir(layout.uploads)) {
    const folder = uploadPath(layout, uploadId)
    const manifest = folder === undefined ? undefined : await readManifest(folder)
    if (manifest !== undefined) yield { key: manifest.key, uploadId, createdAt: new Date(manifest.createdAt) }
  }
}

/** undefined when the upload is gone, or when a power failure left its manifest empty. */
export async function readManifest(folder: string): Promise<UploadManifest | undefined> {
  let text: string
  try {
    text = await readFile(join(folder, 'upload.json'), 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
  try {
    const manifest: UploadManifest = JSON.parse(text)
    return typeof manifest.key === 'string' && manifest.partSize > 0 && !Number.isNaN(Date.parse(manifest.createdAt))
      ? manifest
      : undefined
  } catch {
    return undefined
  }
}
