import { describe, expect, test } from 'vitest'
import { fitS3Profile, type S3Sighting, s3Profiles } from '../../../../src/storage/blob/s3/index.js'

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

  test('without a name, all that do so', () => {
    expect(seen('a.example', 'nginx', true).alike).toEqual(['MinIO', 'Ceph RGW', 's3proxy'])
    expect(seen('a.example', undefined, false).alike).toEqual([
      'versitygw',
      'Swift s3api',
      'SeaweedFS',
      'rclone serve s3',
    ])
  })

  describe('what a store does counts more than its name', () => {
    const usual = { conditionalPut: true, maxParts: 10_000, takesLateParts: false }
    const cases: [string, Partial<S3Sighting>, { name: string; by: string; agrees?: boolean }][] = [
      [
        'Ceph 16, without a name',
        { bindsPayload: true, ...usual, authorization: '400 InvalidArgument' },
        { name: 'Ceph RGW', by: 'doing' },
      ],
      [
        'Ceph behind a proxy that says MinIO',
        { server: 'MinIO', bindsPayload: true, ...usual, authorization: '400 InvalidArgument' },
        { name: 'Ceph RGW', by: 'doing' },
      ],
      [
        'Swift',
        { conditionalPut: false, maxParts: 1000, takesLateParts: true, authorization: 'ignored' },
        { name: 'Swift s3api', by: 'doing' },
      ],
      [
        'SeaweedFS as it calls itself today',
        { server: 'SeaweedFS 30GB 4.53', ...usual, authorization: 'ignored' },
        { name: 'SeaweedFS', by: 'header' },
      ],
      [
        'rclone, which calls itself AmazonS3',
        { server: 'AmazonS3', ...usual, authorization: '400 UnsupportedAlgorithm' },
        { name: 'rclone serve s3', by: 'header' },
      ],
      [
        'AWS behind a name of its own',
        { server: 'AmazonS3', bindsPayload: true, ...usual, authorization: '400 InvalidArgument' },
        { name: 'AWS S3', by: 'header' },
      ],
    ]
    test.each(cases)('%s', (_, sighting, { name, by }) => {
      const fit = fitS3Profile({ server: undefined, host: 'a.example', bindsPayload: false, ...sighting })
      expect([fit.named?.name, fit.by, fit.agrees]).toEqual([name, by, true])
    })
  })

  test('every known fact has a source, and what is not known says so', () => {
    for (const { name, notes, ...facts } of s3Profiles)
      for (const fact of [...notes, ...Object.values(facts)])
        expect(fact.known === undefined, `${name}: ${fact.source}`).toBe(fact.source === 'not tried')
  })
})
