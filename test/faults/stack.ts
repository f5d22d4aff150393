/** What a registry of the harness stands on, and what can be broken below it. */
import type { LibraryOptions } from '../../src/core/options.js'
import type { Random } from './random.js'

export interface SizeRange {
  /** Bytes. */
  readonly min: number
  readonly max: number
}

/** What lies in the storage, seen past the backend. */
export interface StorageContents {
  /** Bytes by key. */
  readonly blobs: ReadonlyMap<string, number>
  /** Keys of sidecars. */
  readonly sidecars: readonly string[]
  /** Everything else: unfinished uploads, parts, temporary files. */
  readonly leftovers: readonly string[]
}

/** Breaks something below a running server, keeps it so for a while, and repairs it. */
export type StoreFault = (random: Random) => Promise<void>

export interface Stack {
  readonly name: string
  /** Data folder of `serve`. */
  readonly data: string
  readonly serveArgs: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly sizes: Readonly<Record<'single' | 'multipart', SizeRange>>
  /** How long a push takes here, 1 on a folder: faults wait longer where pushes do. */
  readonly pace: number
  /** Storage and metadata as the server opens them. */
  readonly open: () => Promise<Pick<LibraryOptions, 'storage' | 'metadata'>>
  readonly contents: () => Promise<StorageContents>
  readonly faults: Readonly<Record<string, StoreFault>>
  readonly close: () => Promise<void>
}

/** Where the built package is: its command line is run, its entry points are imported. */
export interface PackageRoot {
  readonly root: string
}
