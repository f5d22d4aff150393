import { afterAll, describe, test } from 'vitest'
import { startMinio, startS3Proxy, startVersitygw } from '../../../scripts/s3-servers.mjs'
import type { S3Verify } from '../../../src/storage/blob/s3.js'
import { describeStorageBackend } from '../../../src/testing/storage-suite.js'
import { startOrSkip, storageOn } from './servers.js'

/** Deviations that come with S3 itself. */
const S3 = {
  'complete twice: the second is upload-not-found and harms nothing':
    'an answer of S3 can be lost after it joined the parts, so a repeated complete proves the bytes again and succeeds (recovery.test.ts)',
  'another length is refused by the store, or by finish':
    'fetch itself refuses to send another length than the signed header says (presigned.test.ts sends it)',
  'a read that is under way ends whole when the blob is deleted': 'S3 promises nothing about it, and MinIO ends such a read now and then',
}

const NO_BINDING = {
  'a URL that is still valid cannot change a finished blob':
    'what such a URL writes later changes nothing, but lies at the entrance until sweepTemporary takes it (presigned.test.ts)',
}

const servers = [
  { name: 'MinIO', start: startMinio, verify: ['read', 'store', 'background'], skip: S3 },
  {
    name: 'versitygw',
    start: startVersitygw,
    verify: ['read', 'store'],
    skip: { ...S3, ...NO_BINDING, 'abort while parts are being written leaves nothing': 'versitygw lets a part that arrives during the abort live on' },
  },
  {
    name: 's3proxy',
    start: startS3Proxy,
    verify: ['read'],
    skip: {
      ...S3,
      // s3proxy keeps no list of uploads: it takes parts for every upload id and lists none instead of answering NoSuchUpload
      ...Object.fromEntries(
        [
          'a part of an unknown upload is upload-not-found',
          'complete with the SHA-256 of other bytes is digest-mismatch, and upload and bytes are gone',
          'a part after complete is refused and changes nothing',
          'abort drops the upload, and aborting twice is no error',
          'abort while parts are being written leaves nothing',
          'a URL for a part of an aborted upload is refused',
        ].map((name) => [name, 's3proxy does not tell an upload that is gone from one without parts']),
      ),
    },
  },
] as const satisfies readonly { readonly verify: readonly S3Verify[]; readonly [other: string]: unknown }[]

for (const { name, start, verify, skip } of servers) {
  const server = await startOrSkip(name, start)
  if (server === undefined) {
    test.skip(`${name} is not on this machine`)
    continue
  }
  describe(name, () => {
    afterAll(() => server.stop())
    for (const mode of verify)
      describeStorageBackend({ describe, test }, { name: `verify: ${mode}`, create: () => ({ backend: storageOn(server, { verify: mode }) }), skip })
  })
}
