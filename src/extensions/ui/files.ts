/** The files of the built page, read once: what is not in the manifest does not exist. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * `dist/ui`, beside the built entry; asked when it is wanted, because a bundle of the host may know
 * no URL of its own.
 */
const builtFolder = (): string => fileURLToPath(new URL('./ui/', import.meta.url))

/** One file, as it is and compressed. */
export interface PageFile {
  readonly type: string
  /** Its name changes with its bytes. */
  readonly immutable: boolean
  /** A script of a worker, which compiles WebAssembly under a policy of its own. */
  readonly worker: boolean
  readonly plain: Uint8Array
  readonly br: Uint8Array | undefined
  readonly gzip: Uint8Array | undefined
}

export interface PageFiles {
  /** The document, with places for what depends on the request. */
  readonly document: string
  /** By path below `ui/`. */
  readonly files: ReadonlyMap<string, PageFile>
}

interface Manifest {
  readonly files: Readonly<
    Record<
      string,
      {
        readonly type: string
        readonly immutable: boolean
        readonly worker: boolean
        readonly compressed: boolean
      }
    >
  >
}

/**
 * Reads the manifest and what it names: some hundred kilobytes. Throws where the page was not
 * built.
 */
export async function readPageFiles(folder: string = builtFolder()): Promise<PageFiles> {
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Manifest
  const entries = Object.entries(manifest.files).map(async ([path, { compressed, ...facts }]) => {
    const [plain, br, gzip] = await Promise.all([
      readFile(join(folder, path)),
      compressed ? readFile(join(folder, `${path}.br`)) : undefined,
      compressed ? readFile(join(folder, `${path}.gz`)) : undefined,
    ])
    return [path, { ...facts, plain, br, gzip }] as const
  })
  const [document, files] = await Promise.all([readFile(join(folder, 'index.html'), 'utf8'), Promise.all(entries)])
  return { document, files: new Map(files) }
}
