/** Whole answers, for the OpenAPI document. */
const digest = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03'
const times = { createdAt: '2026-03-01T09:12:00.000Z', updatedAt: '2026-05-04T16:20:31.000Z' }

const latest = { tag: '0.7.17', arch: 'amd64', digest, size: 94_371_840, signed: true, updatedAt: times.updatedAt }

const container = {
  path: 'genomics/tools/bwa',
  entity: 'genomics',
  collection: 'tools',
  name: 'bwa',
  description: 'Burrows-Wheeler aligner',
  private: false,
  privateByCollection: false,
  latest,
  archs: ['amd64'],
  usedBytes: 94_371_840,
  images: 1,
  pulls: 128,
  pulls30: 3,
  pullDays: [...new Array(27).fill(0), 1, 0, 2],
  lastPulledAt: '2026-05-06T08:00:12.000Z',
  ...times,
  changedBy: 'alice',
  version: 'm9x2k1f0',
}

const image = {
  path: 'genomics/tools/bwa',
  digest,
  hash: `sha256.${digest}`,
  description: '',
  size: 94_371_840,
  arch: 'amd64',
  state: 'published',
  signed: true,
  encrypted: false,
  fingerprints: ['8883491F4268F173C6E5DC49EDECE4F3F38D871E'],
  tags: [{ tag: '0.7.17', arch: 'amd64' }],
  pulls: 128,
  lastPulledAt: '2026-05-06T08:00:12.000Z',
  createdAt: times.createdAt,
  publishedAt: times.createdAt,
  pushedBy: 'alice',
}

const tag = {
  path: 'genomics/tools/bwa',
  tag: '0.7.17',
  arch: 'amd64',
  digest,
  hash: `sha256.${digest}`,
  size: 94_371_840,
  signed: true,
  encrypted: false,
  updatedAt: times.updatedAt,
  changedBy: 'alice',
  version: digest,
}

const upload = {
  id: '66a1f0c2d4e5b6a798011223',
  state: 'open',
  path: 'genomics/tools/bwa',
  digest,
  size: 94_371_840,
  partSize: 67_108_864,
  totalParts: 2,
  tags: ['0.7.17'],
  arch: null,
  createdAt: times.createdAt,
  expiresAt: '2026-03-02T09:12:00.000Z',
}

export const examples: Readonly<
  Record<
    | 'container'
    | 'containers'
    | 'image'
    | 'images'
    | 'tag'
    | 'tags'
    | 'history'
    | 'upload'
    | 'parts'
    | 'completed'
    | 'preview',
    unknown
  >
> = {
  container: { data: container },
  containers: { data: [container], next: null },
  image: { data: image },
  images: { data: [image], next: null },
  tag: { data: tag },
  tags: { data: [tag], next: null },
  history: {
    data: [
      {
        at: times.updatedAt,
        by: 'alice',
        tag: '0.7.17',
        arch: 'amd64',
        digest,
        previous: null,
        via: 'push',
        present: true,
      },
    ],
    next: null,
  },
  upload: { data: upload },
  parts: {
    data: [
      {
        number: 1,
        url: 'https://store.example/…',
        headers: { 'x-amz-content-sha256': digest },
        expiresAt: '2026-03-02T09:12:00.000Z',
      },
    ],
  },
  completed: { data: { state: 'completed', image } },
  preview: {
    data: { path: 'genomics/tools/bwa', collections: 0, containers: 1, images: 1, tags: 1, bytes: 94_371_840 },
  },
}
