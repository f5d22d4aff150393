/** What lies in a bucket, asked of the store itself and not of the code under test. */
import { ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import type { RunningS3Server } from '../../../scripts/s3-servers.mjs'
import { BUCKET } from './s3-registry.js'

export interface Bucket {
  /** Names of all objects below a prefix. */
  readonly objects: (prefix: string) => Promise<readonly string[]>
  /** Uploads below a prefix that were begun and neither completed nor aborted. MinIO finds only those of an exact name, and of all names without one. */
  readonly uploads: (prefix: string) => Promise<readonly { readonly key: string; readonly uploadId: string }[]>
  readonly close: () => void
}

export function openBucket(server: RunningS3Server): Bucket {
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
  return {
    objects: async (prefix) => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }))
      return Contents.map(({ Key = '' }) => Key)
    },
    uploads: async (prefix) => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }))
      return Uploads.map(({ Key: key = '', UploadId: uploadId = '' }) => ({ key, uploadId })).filter(({ key }) =>
        key.startsWith(prefix),
      )
    },
    close: () => client.destroy(),
  }
}
