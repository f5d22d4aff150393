/** A sidecar with values that no request could bring in is refused; it neither ends the run nor leaves a record that no answer can be made of. */
import { expect, it } from 'vitest'
import { decodeSidecar, encodeSidecar, type ImageSidecar } from '../../../src/core/sidecars/document.js'

const id = 'a'.repeat(24)
const digest = 'd'.repeat(64)
const target = { kind: 'image', id, digest } as const
const image: ImageSidecar = {
  ...{
    kind: 'image',
    id,
    digest,
    containerId: id,
    entity: 'alice',
    collection: 'tools',
    container: 'bwa',
    description: 'd',
    owner: 'alice',
  },
  ...{
    state: 'published',
    size: 1,
    blobKey: `blobs/sha256/dd/${digest}/${id}`,
    arch: 'amd64',
    archFromHeader: true,
    signed: null,
    encrypted: null,
  },
  ...{ fingerprints: [], publishedAt: 1, createdAt: 1, updatedAt: 1, tags: [] },
}

it('a whole one is read', () => {
  expect(decodeSidecar(encodeSidecar(image), target)).toEqual(image)
})

it.each([
  // PostgreSQL takes no NUL, and its error would end the run
  ['description', { description: 'a\0b' }],
  ['owner', { owner: '\0' }],
  // toISOString throws: each answer with the image in it would be a 500
  ['createdAt', { createdAt: 8_640_000_000_000_001 }],
  ['updatedAt', { updatedAt: Number.MAX_SAFE_INTEGER }],
  ['tags.0.updatedAt', { tags: [{ arch: 'amd64', tag: 'a', updatedAt: Number.MAX_SAFE_INTEGER }] }],
  ['blobKey', { blobKey: `blobs/sha256/dd/${digest}/../../../records/x` }],
  ['blobKey', { blobKey: `blobs/sha256/dd/${digest}/${id}/more` }],
  ['blobKey', { blobKey: `blobs/sha256/dd/${digest}/` }],
] as const)('%s', (field, change) => {
  expect(() => decodeSidecar(encodeSidecar({ ...image, ...change }), target)).toThrow(`${field} is not valid`)
})
