import { describe, expect, test } from 'vitest'
import { fitS3Profile, s3Profiles } from '../../../../src/storage/blob/s3/index.js'

const seen = (host: string, server: string | undefined, bindsPayload: boolean) => {
  const { named, agrees, alike } = fitS3Profile({ host, server, bindsPayload })
  return { named: named?.name, agrees, alike: alike.map(({ name }) => name) }
}

describe('store profiles', () => {
  test.each([
    ['MinIO by its header', seen('a.example', 'MinIO', true), 'MinIO', true],
    ['MinIO that does not hold the hash', seen('a.example', 'MinIO', false), 'MinIO', false],
    ['versitygw by its header', seen('a.example', 'VERSITYGW', false), 'versitygw', true],
    ['Ceph with its release', seen('a.example', 'Ceph Object Gateway (squid)', true), 'Ceph RGW', true],
    [
      'AWS by its host, whatever stands in between',
      seen('bucket.s3.eu-west-1.amazonaws.com', 'nginx', false),
      'AWS S3',
      true,
    ],
    ['R2 by its host', seen('account.r2.cloudflarestorage.com', 'cloudflare', false), 'Cloudflare R2', true],
    ['a host that only ends alike', seen('notamazonaws.com', undefined, true), undefined, true],
    ['a name that is not the whole one', seen('a.example', 'NotMinIO', true), undefined, true],
  ])('%s', (_, found, named, agrees) => expect(found).toMatchObject({ named, agrees }))

  test('without a name, by what it does', () => {
    expect(seen('a.example', 'nginx', true).alike).toEqual(['MinIO', 's3proxy'])
    expect(seen('a.example', undefined, false).alike).toEqual(['versitygw'])
  })

  test('every known fact has a source, and what is not known says so', () => {
    for (const { name, notes, ...facts } of s3Profiles)
      for (const fact of [...notes, ...Object.values(facts)])
        expect(fact.known === undefined, `${name}: ${fact.source}`).toBe(fact.source === 'not tried')
  })
})
