import { S3, S3ServiceException } from '@aws-sdk/client-s3'
import { afterAll, expect, test } from 'vitest'
import {
  type RunningS3Server,
  startCeph,
  startMinio,
  startS3Proxy,
  startSwift,
  startVersitygw,
} from '../../../scripts/s3-servers.mjs'
import { fitS3Profile, type S3Profile, s3Profiles } from '../../../src/storage/blob/s3/index.js'
import { rawRequest } from './requests.js'
import { describeOn, startOrSkip, storageOn } from './servers.js'

const clientOf = (
  { endpoint, region, accessKeyId, secretAccessKey }: RunningS3Server,
  other: { readonly region?: string } = {},
): S3 =>
  new S3({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...other,
  })

/** `200`, or status and code of the refusal. */
const answer = (call: Promise<object>): Promise<string> =>
  call.then(
    () => '200',
    (error: unknown) => {
      if (!(error instanceof S3ServiceException)) throw error
      return `${error.$metadata.httpStatusCode} ${error.name}`
    },
  )

for (const [name, start] of [
  ['MinIO', startMinio],
  ['versitygw', startVersitygw],
  ['s3proxy', startS3Proxy],
  ['Ceph RGW', startCeph],
  ['Swift s3api', startSwift],
] as const) {
  const server = await startOrSkip(name, start)
  afterAll(() => server?.stop())

  describeOn(server, `the profile of ${name} is what ${name} does`, (server) => {
    const profile = s3Profiles.find((one) => one.name === name) as S3Profile

    test('it is recognised, and binds as told', async () => {
      const { headers } = await rawRequest(`${server.endpoint}/nowhere/nothing`)
      const storage = storageOn(server)
      await storage.ready?.()
      const { url } = await storage.presign.get('nowhere/nothing', { expiresSeconds: 60 })
      const answered = await rawRequest(url, { headers: { authorization: 'Bearer of-the-registry' } })
      const authorization = answered.status === 404 ? 'ignored' : `${answered.status} ${answered.code}`
      const { traits } = storage
      await storage.close?.()
      expect({ ...traits, authorization }).toEqual({
        bindsPayload: profile.bindsPayload.known,
        conditionalPut: profile.conditionalPut.known,
        maxParts: profile.maxParts.known,
        takesLateParts: profile.takesLateParts.known,
        authorization: profile.authorization.known,
      })
      const seen = { ...traits, bindsPayload: storage.presign.bindsPayload, host: '127.0.0.1', authorization }
      const fit = fitS3Profile({ ...seen, server: headers.server?.toString() })
      expect(fit).toMatchObject({ named: { name }, by: profile.server === undefined ? 'doing' : fit.by, agrees: true })
      expect(fit.alike).toContain(profile)
    })

    test('multipart', async () => {
      const s3 = clientOf(server)
      const [Bucket, Key] = ['profile', 'some/where/x']
      await s3.createBucket({ Bucket })
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
      const { Uploads = [] } = await s3.listMultipartUploads({ Bucket, Prefix: 'some/' })
      expect(Uploads.length > 0).toBe(profile.listsUploadsByPrefix.known)
      const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'bytes' })
      const complete = () =>
        answer(
          s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }),
        )
      expect(await complete()).toBe('200')
      expect(await complete()).toBe(profile.completeTwice.known)
      s3.destroy()
    })

    test('another region', async () => {
      const s3 = clientOf(server, { region: 'eu-north-1' })
      const told = await answer(s3.listObjectsV2({ Bucket: 'sif-library' }))
      const CreateBucketConfiguration = { LocationConstraint: 'eu-north-1' } as const
      const made = await answer(s3.createBucket({ Bucket: 'elsewhere', CreateBucketConfiguration }))
      s3.destroy()
      const { known } = profile.region
      if (told !== '200') expect(known).toContain(`: ${told} `)
      // signatures may say any, and new buckets may not
      else if (made !== '200') expect(known).toMatch(new RegExp(`^any; a bucket is made .*: ${made}$`))
      else expect(known).toBe('any')
    })
  })
}
