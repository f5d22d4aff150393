/**
 * `sif-library/client`: the use cases of a registry over HTTP, for browsers, Node and Deno; without
 * any dependency.
 *
 *     const client = createClient({ url: 'https://host/library', token })
 *     const page = await client.containers.list({ entity: 'genomics' })
 *     await client.upload(file, { path: 'genomics/tools/bwa', tags: ['1.0'] })
 * @module
 */
import type { Control } from '../core/control/control.js'
import { createHttpControl } from './control.js'
import { type ClientOptions, createSend } from './http.js'
import { type Uploading, type UploadOptions, upload } from './upload.js'

export type * from '../core/control/control.js'
export type * from '../core/control/records.js'
export { isRegistryError, RegistryError } from './errors.js'
export { hashOfFile } from './hashes.js'
export type { ClientOptions } from './http.js'
export type { Uploading, UploadMemory, UploadOptions, UploadProgress } from './upload.js'

/** `Control` over HTTP, and the sending of files. Every call throws `RegistryError`. */
export interface Client extends Control {
  /** Sends a file (in Node `await openAsBlob(path)` of `node:fs`) and publishes it. */
  upload(file: Blob, options: UploadOptions): Uploading
}

export function createClient(options: ClientOptions): Client {
  const control = createHttpControl(createSend(options))
  const call = options.fetch ?? ((input: Parameters<typeof fetch>[0], init?: RequestInit) => fetch(input, init))
  return { ...control, upload: (file, uploadOptions) => upload({ control, fetch: call }, file, uploadOptions) }
}
