import { afterAll, describe, test } from 'vitest'
import { startMinio, startS3Proxy, startVersitygw } from '../../../scripts/s3-servers.mjs'
import type { S3Verify } from '../../../src/storage/blob/s3.js'
import { describeStorageBackend } from '../../../src/testing/storage-suite.js'
import { startOrSkip, storageOn } from './servers.js'

const servers = [
  { name: 'MinIO', start: startMinio, verify: ['read', 'store', 'background'], skip: {} },
  { name: 'versitygw', start: startVersitygw, verify: ['read', 'store'], skip: {} },
  { name: 's3proxy', start: startS3Proxy, verify: ['read'], skip: {} },
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
