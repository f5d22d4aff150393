import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdtemp, open, rm, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SIF_LAYOUT } from '../../fixtures/sif.js'
import { makeRealSif, type SifToMake } from './sif.js'

/** A SIF file on disk and its hash on the wire. */
export interface Image {
  readonly file: string
  /** `sha256.<hex>`. */
  readonly hash: string
  readonly arch: string
  /** Bytes. */
  readonly size: number
}

export async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer)
  return `sha256.${hash.digest('hex')}`
}

/** A folder of images: each is made once by the ordinary SIF library, then copied with another UUID, so that every one has a hash of its own. */
export interface ImageFolder {
  readonly fresh: (options: SifToMake) => Promise<Image>
  /** A path in the folder that does not exist yet. */
  readonly target: () => string
  readonly remove: (file: string) => Promise<void>
  readonly close: () => Promise<void>
}

export async function makeImageFolder(): Promise<ImageFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-images-'))
  const templates = new Map<string, Promise<unknown>>()
  let count = 0
  const target = (): string => join(folder, `file-${++count}.sif`)
  return {
    target,
    fresh: async (options) => {
      const template = join(
        folder,
        `template-${createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 8)}`,
      )
      if (!templates.has(template)) templates.set(template, makeRealSif(template, options))
      await templates.get(template)
      const file = target()
      await copyFile(template, file)
      const handle = await open(file, 'r+')
      await handle.write(randomBytes(16), 0, 16, SIF_LAYOUT.header.id)
      await handle.close()
      return { file, hash: await hashFile(file), arch: options.arch, size: options.size }
    },
    remove: (file) => unlink(file),
    close: () => rm(folder, { recursive: true, force: true }),
  }
}
