import { readFile } from 'node:fs/promises'
import { CreateBucketCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import type { CephCluster } from '../../../scripts/s3-servers.mjs'
import type { S3Credentials } from '../../../src/storage/blob/s3/index.js'
import { BUCKET } from '../harness/s3-registry.js'

const KEY = { accessKeyId: 'UPLOADSKEY0123456789', secretAccessKey: 'uploads-secret-0123456789-0123456789-abc' }

export interface UploadKey {
  readonly key: S3Credentials
  /** What tells it to `serve`. */
  readonly env: Readonly<Record<string, string>>
}

/**
 * Makes a user of Ceph that may put uploads below a prefix (`*`: below any) of the bucket and nothing else, and the
 * bucket where it is missing. The bucket policy is the one of docs/stores/ceph.md.
 */
export async function makeUploadKey(ceph: CephCluster, prefix: string): Promise<UploadKey> {
  const guide = await readFile(new URL('../../../docs/stores/ceph.md', import.meta.url), 'utf8')
  const policy = /```json\n([\s\S]*?)```/.exec(guide)?.[1] ?? ''
  expect(JSON.parse(policy).Statement[0].Action).toEqual(['s3:PutObject'])
  await ceph.admin(
    ...['user', 'create', '--uid=uploads', '--display-name=uploads', '--max-buckets=-1'],
    ...[`--access-key=${KEY.accessKeyId}`, `--secret-key=${KEY.secretAccessKey}`],
  )
  const { endpoint, region, accessKeyId, secretAccessKey } = ceph
  const s3 = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const Policy = policy.replaceAll('images/prefix/', `${BUCKET}/${prefix}/`)
  await s3.send(new PutBucketPolicyCommand({ Bucket: BUCKET, Policy }))
  s3.destroy()
  const env = {
    SIF_LIBRARY_UPLOAD_ACCESS_KEY_ID: KEY.accessKeyId,
    SIF_LIBRARY_UPLOAD_SECRET_ACCESS_KEY: KEY.secretAccessKey,
  }
  return { key: KEY, env }
}
