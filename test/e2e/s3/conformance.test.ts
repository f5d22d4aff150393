import { afterAll, describe, test } from 'vitest'
import { startCeph, startMinio, startS3Proxy, startSwift, startVersitygw } from '../../../scripts/s3-servers.mjs'
import type { S3Verify } from '../../../src/storage/blob/s3/index.js'
import { describeStorageBackend } from '../../../src/testing/storage/index.js'
import { S3_DEVIATIONS } from './deviations.js'
import { startOrSkip, storageOn } from './servers.js'

const servers = [
  { name: 'MinIO', start: startMinio, verify: ['read', 'store', 'background'], skip: S3_DEVIATIONS },
  {
    name: 'versitygw',
    start: startVersitygw,
    verify: ['read', 'store'],
    skip: {
      ...S3_DEVIATIONS,
      'abort while parts are being written leaves nothing':
        'versitygw lets a part that arrives during the abort live on',
    },
  },
  {
    name: 's3proxy',
    start: startS3Proxy,
    verify: ['read'],
    skip: {
      ...S3_DEVIATIONS,
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
  // its `store` is `read`: it keeps no SHA-256 of a copy (recovery.test.ts)
  { name: 'Ceph', start: startCeph, verify: ['read'], skip: S3_DEVIATIONS },
  { name: 'Swift', start: startSwift, verify: ['read'], skip: S3_DEVIATIONS },
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
      describeStorageBackend(
        { describe, test },
        { name: `verify: ${mode}`, create: () => ({ backend: storageOn(server, { verify: mode }) }), skip },
      )
  })
}
