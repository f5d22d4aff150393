/**
 * Whether the bytes of images are where their records say: of a sample, since there may be
 * millions.
 */
import { randomBytes } from 'node:crypto'
import type { MetadataStore } from 'sif-library/metadata'
import type { StorageBackend } from 'sif-library/storage'
import { failed } from './bytes.js'
import type { Findings } from './finding.js'

const check = 'bytes of the images'
const half = 50

/** The first images, and those after a random id. */
async function sampleImages({ images }: MetadataStore) {
  const states = ['published', 'unproven'] as const
  const first = await images.list({ states, limit: half })
  const after = first.at(-1)?.image.id
  const [, start] = [after ?? '', randomBytes(12).toString('hex')].sort()
  const others = after === undefined ? [] : await images.list({ states, limit: half, after: start ?? after })
  return [...first, ...others]
}

export async function* checkImageBytes(storage: StorageBackend, metadata: MetadataStore): Findings {
  try {
    const sample = await sampleImages(metadata)
    if (sample.length === 0) {
      yield { check, state: 'ok', found: 'there is no image yet' }
      return
    }
    const wrong: string[] = []
    for (const { image, container } of sample) {
      const found = image.blobKey === null ? undefined : await storage.stat(image.blobKey)
      if (found?.size !== image.size)
        wrong.push(`${container.entityName}/${container.collectionName}/${container.name} sha256.${image.digest}`)
    }
    yield wrong.length === 0
      ? { check, state: 'ok', found: `those of all ${sample.length} images of a sample are there` }
      : {
          check,
          state: 'failed',
          found: `those of ${wrong.length} of ${sample.length} images of a sample are missing, such as ${wrong[0]}`,
          cause:
            wrong.length === sample.length
              ? 'the records lead to another storage than the one where the bytes lie'
              : 'files were deleted in the storage, or a copy of it was not whole',
          fix: 'sif-library copy-storage FROM TO brings bytes along from where they are; sif-library verify hides the images whose bytes are lost',
        }
  } catch (error) {
    yield failed(check, error)
  }
}
