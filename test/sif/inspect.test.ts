import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inspectSif, type SifInspection } from '../../src/sif/index.js'
import { makeSif, SIF_ARCHES, SIF_LAYOUT } from '../fixtures/sif.js'
import { group, json, NO_GROUP, ociPart, partition, sifFile, signature, TYPES } from '../fixtures/sif-file.js'

/** Inspects bytes, and says what was read of them. */
async function inspect(
  bytes: Uint8Array,
): Promise<SifInspection & { readonly reads: readonly { readonly offset: number; readonly length: number }[] }> {
  const reads: { offset: number; length: number }[] = []
  const found = await inspectSif({
    size: bytes.length,
    read: async (offset, length) => {
      expect(offset).toBeGreaterThanOrEqual(0)
      expect(offset + length).toBeLessThanOrEqual(bytes.length)
      reads.push({ offset, length })
      return bytes.subarray(offset, offset + length)
    },
  })
  return { ...found, reads }
}

const bytesRead = (reads: readonly { readonly length: number }[]): number =>
  reads.reduce((sum, { length }) => sum + length, 0)

const { header, descriptor, descriptorSize } = SIF_LAYOUT
const tableAt = 4096
const definition = { type: TYPES.definition, bytes: Buffer.from('bootstrap: docker\nfrom: alpine\n') }
const metadata = (attributes: object) => ({
  type: TYPES.json,
  name: 'inspect-metadata.json',
  bytes: json({ type: 'container', data: { attributes } }),
})

describe('an ordinary image', () => {
  const bytes = sifFile(
    [
      definition,
      metadata({
        deffile: 'bootstrap: docker\nfrom: alpine',
        labels: { maintainer: 'Ann', __proto__x: 'y' },
        environment: { '/.singularity.d/env/90-environment.sh': 'export A=1' },
        runscript: '#!/bin/sh\necho run',
        startscript: 'start',
        test: 'test',
        helpfile: 'help me',
        apps: { tool: { runscript: 'x' } },
      }),
      partition({ arch: 'riscv64', bytes: Buffer.alloc(3_000_000, 7) }),
      signature(Buffer.from('-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{"version":1}\n'), {
        fingerprint: 'ab'.repeat(20),
      }),
    ],
    { headerArch: 'amd64', id: '87388153485642c1b3eaa72be554645b' },
  )

  it('is read whole, in a front of 64 KiB and the signatures at its end', async () => {
    const { reads, ...found } = await inspect(bytes)
    expect(found).toEqual({
      state: 'sif',
      reason: null,
      kind: 'image',
      header: {
        launch: '#!/usr/bin/env run-singularity\n',
        version: '01',
        arch: 'amd64',
        id: '87388153-4856-42c1-b3ea-a72be554645b',
        createdAt: '2023-11-14T22:13:20.000Z',
        modifiedAt: '2023-11-14T22:13:20.000Z',
        slots: 48,
      },
      arch: 'riscv64',
      encrypted: false,
      signed: true,
      objects: [
        expect.objectContaining({ id: 1, type: 'definition', code: 0x4001, group: 1, link: null, offset: 32_176 }),
        expect.objectContaining({ id: 2, type: 'json', name: 'inspect-metadata.json' }),
        expect.objectContaining({
          id: 3,
          type: 'partition',
          size: 3_000_000,
          partition: { fileSystem: 'squashfs', role: 'primary-system', arch: 'riscv64', encrypted: false },
        }),
        expect.objectContaining({
          id: 4,
          type: 'signature',
          group: null,
          link: { group: 1 },
          signature: { hash: 'sha256', fingerprint: 'AB'.repeat(20) },
        }),
      ],
      definition: { text: 'bootstrap: docker\nfrom: alpine\n', bytes: 31, truncated: false },
      labels: { maintainer: 'Ann', __proto__x: 'y' },
      environment: { '/.singularity.d/env/90-environment.sh': 'export A=1' },
      runscript: { text: '#!/bin/sh\necho run', bytes: 18, truncated: false },
      startscript: { text: 'start', bytes: 5, truncated: false },
      test: { text: 'test', bytes: 4, truncated: false },
      help: { text: 'help me', bytes: 7, truncated: false },
      apps: ['tool'],
      signatures: [
        { object: 4, format: 'pgp', covers: { group: 1 }, hash: 'sha256', claimedFingerprint: 'AB'.repeat(20) },
      ],
      sboms: [],
      oci: null,
      notes: [],
    })
    expect(reads).toEqual([
      { offset: 0, length: 65_536 },
      { offset: bytes.length - 63, length: 63 },
    ])
  })

  it('without signatures takes one read', async () => {
    const { reads } = await inspect(sifFile([definition, metadata({}), partition({ bytes: Buffer.alloc(500_000) })]))
    expect(reads).toEqual([{ offset: 0, length: 65_536 }])
  })

  it.each(Object.keys(SIF_ARCHES))('of arch %s', async (arch) => {
    expect((await inspect(makeSif({ arch }))).arch).toBe(arch === 'unknown' ? null : arch)
  })

  it('with a table somewhere else, and longer than the front', async () => {
    const found = await inspect(sifFile([partition({ fileSystem: 5 })], { slots: 4096, tableAt: 128 }))
    expect(found).toMatchObject({ state: 'sif', encrypted: true, header: { slots: 4096 } })
  })

  it('of the year 1 is reproducible, and of a year beyond has no time', async () => {
    expect((await inspect(sifFile([], { time: -62_135_596_800n }))).header?.createdAt).toBe('0001-01-01T00:00:00.000Z')
    expect((await inspect(sifFile([], { time: 2n ** 62n }))).header?.createdAt).toBeNull()
  })
})

describe('kinds and partitions', () => {
  it.each([
    [1, 'squashfs', false],
    [2, 'ext3', false],
    [3, 'archive', false],
    [4, 'raw', false],
    [5, 'encrypted-squashfs', true],
    [6, 'gocryptfs-squashfs', true],
    [99, 'unknown', false],
  ])('file system %i is %s', async (fileSystem, name, encrypted) => {
    const found = await inspect(sifFile([partition({ fileSystem })]))
    expect(found.encrypted).toBe(encrypted)
    expect(found.objects[0]?.partition).toMatchObject({ fileSystem: name, encrypted })
  })

  it('an encrypted overlay makes the image an encrypted one', async () => {
    expect((await inspect(sifFile([partition(), partition({ role: 4, fileSystem: 6 })]))).encrypted).toBe(true)
  })

  it('a data container has no primary partition, and no arch', async () => {
    expect(await inspect(sifFile([partition({ role: 3, arch: 'unknown' })]))).toMatchObject({
      kind: 'data',
      arch: null,
      encrypted: false,
    })
  })

  it('a message does not make an image an encrypted one', async () => {
    const extra = Buffer.alloc(8)
    extra.writeInt32LE(2, 0)
    extra.writeInt32LE(0x200, 4)
    const found = await inspect(
      sifFile([partition(), { type: TYPES.message, bytes: Buffer.from('x'), extra, link: 1 }]),
    )
    expect(found.encrypted).toBe(false)
    expect(found.objects[1]).toMatchObject({ message: { format: 'pem', kind: 'rsa-oaep' }, link: { object: 1 } })
  })

  it('groups with and without their mark are one group; none is none; unknown types are kept', async () => {
    const at = (number: number) => ({ type: 0x4999, bytes: Buffer.from('x'), group: number })
    const found = await inspect(sifFile([at(1), at(group(1)), at(NO_GROUP), at(0)]))
    expect(found.objects.map((object) => [object.type, object.code, object.group])).toEqual([
      ['unknown', 0x4999, 1],
      ['unknown', 0x4999, 1],
      ['unknown', 0x4999, null],
      ['unknown', 0x4999, null],
    ])
  })
})

describe('texts', () => {
  it('labels of an object, where there is no inspect object', async () => {
    expect((await inspect(sifFile([{ type: TYPES.labels, bytes: json({ a: 'b', c: 1, d: {} }) }]))).labels).toEqual({
      a: 'b',
    })
  })

  it('environment and labels of the OCI configuration', async () => {
    const config = { Env: ['PATH=/bin:/usr/bin', 'A=b=c', 'nonsense', 7], Labels: { from: 'oci' } }
    expect(await inspect(sifFile([{ type: TYPES.json, name: 'oci-config.json', bytes: json(config) }]))).toMatchObject({
      environment: { PATH: '/bin:/usr/bin', A: 'b=c' },
      labels: { from: 'oci' },
    })
  })

  it('the definition file of the inspect object, where there is no other', async () => {
    expect((await inspect(sifFile([metadata({ deffile: 'bootstrap: x' })]))).definition?.text).toBe('bootstrap: x')
  })

  it('a key __proto__ is a label like any other', async () => {
    const found = await inspect(
      sifFile([{ type: TYPES.labels, bytes: Buffer.from('{"__proto__":"polluted","a":"b"}') }]),
    )
    expect(Object.entries(found.labels ?? {})).toEqual([
      ['__proto__', 'polluted'],
      ['a', 'b'],
    ])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it.each(['null', '[]', '"text"', '{', '[[[[', '7', '\u0000'])('labels that are %j are none', async (text) => {
    expect((await inspect(sifFile([{ type: TYPES.labels, bytes: Buffer.from(text) }]))).labels).toBeNull()
  })

  it('a million labels are cut, and so are long ones', async () => {
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`label-${index}`, 'x']))
    const cut = await inspect(sifFile([{ type: TYPES.labels, bytes: json(many) }]))
    expect(Object.keys(cut.labels ?? {})).toHaveLength(1000)
    expect(cut.notes).toEqual(['labels were left out or cut'])
    const long = await inspect(sifFile([{ type: TYPES.labels, bytes: json({ a: 'x'.repeat(1_000_000) }) }]))
    expect(long.labels?.a).toHaveLength(16_384)
  })

  it('a definition file of a megabyte is cut between characters, and a larger one is not read', async () => {
    const text = 'é'.repeat(500_000)
    const cut = await inspect(sifFile([{ type: TYPES.definition, bytes: Buffer.from(`x${text}`) }]))
    expect(cut.definition).toMatchObject({ bytes: 1_000_001, truncated: true })
    expect(cut.definition?.text).toBe(`x${'é'.repeat(32_767)}`)
    const large = await inspect(sifFile([{ type: TYPES.definition, bytes: Buffer.alloc(2_000_000) }]))
    expect(large).toMatchObject({ definition: null, notes: ['the definition file is too large to be read'] })
    expect(bytesRead(large.reads)).toBe(65_536)
  })

  it('bytes that are no UTF-8 become U+FFFD', async () => {
    const found = await inspect(sifFile([{ type: TYPES.definition, bytes: Buffer.from([0x61, 0xff, 0x62]) }]))
    expect(found.definition?.text).toBe('a\uFFFDb')
  })
})

describe('signatures', () => {
  const clear = (text: string) => Buffer.from(`-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${text}\n`)
  it.each([
    ['pgp', clear('{"version":1}')],
    ['legacy', clear('SIFHASH:\nabcdef')],
    ['dsse', json({ payloadType: 'application/vnd.sylabs.sif-metadata+json', payload: '', signatures: [] })],
    ['unknown', json({ payloadType: 'text/plain' })],
    ['unknown', Buffer.from('garbage')],
    ['unknown', Buffer.alloc(0)],
  ] as const)('in the format %s', async (format, bytes) => {
    expect((await inspect(sifFile([partition(), signature(bytes)]))).signatures).toMatchObject([
      { format, claimedFingerprint: null },
    ])
  })

  it('hundreds of them: so many are read, and it is said', async () => {
    const found = await inspect(
      sifFile(
        Array.from({ length: 200 }, () => signature(clear('{}'))),
        { slots: 200 },
      ),
    )
    expect(found.signatures).toHaveLength(64)
    expect(found.notes).toEqual(['200 signatures, of which 64 are read'])
  })

  it('one of a gigabyte is not read', async () => {
    const bytes = sifFile([partition(), signature(Buffer.alloc(2 * 1024 ** 2))])
    const found = await inspect(bytes)
    expect(found.signatures).toMatchObject([{ format: 'unknown' }])
    expect(bytesRead(found.reads)).toBe(65_536)
  })
})

describe('SBOMs', () => {
  const sbom = (format: number, bytes: Uint8Array) => {
    const extra = Buffer.alloc(4)
    extra.writeInt32LE(format)
    return { type: TYPES.sbom, bytes, extra }
  }
  it.each([
    [1, 'cyclonedx-json', json({ components: [1, 2] }), 2],
    [4, 'spdx-json', json({ packages: [1] }), 1],
    [8, 'syft-json', json({ artifacts: [] }), 0],
    [2, 'cyclonedx-xml', Buffer.from('<bom/>'), null],
    [1, 'cyclonedx-json', Buffer.from('{'), null],
    [99, 'unknown', Buffer.from('x'), null],
  ])('format %i is %s', async (format, name, bytes, components) => {
    expect((await inspect(sifFile([sbom(format, bytes)]))).sboms).toEqual([
      { object: 1, format: name, size: bytes.length, components },
    ])
  })
})

describe('OCI-SIF', () => {
  const layer = ociPart(TYPES.ociBlob, Buffer.alloc(200_000, 1))
  const image = (arch: string) => {
    const config = ociPart(TYPES.ociBlob, { architecture: arch, os: 'linux', config: { Labels: { a: arch } } })
    const layers = [
      { mediaType: 'application/vnd.sylabs.image.layer.v1.squashfs', digest: layer.digest, size: 200_000 },
    ]
    const manifest = ociPart(TYPES.ociBlob, { mediaType: 'm', config: { digest: config.digest }, layers })
    return { config, manifest }
  }
  const root = (...manifests: readonly object[]) => ociPart(TYPES.ociRootIndex, { schemaVersion: 2, manifests })
  const options = { slots: 12, headerArch: 'unknown' }

  it('arch, labels and layers, through the manifest', async () => {
    const { config, manifest } = image('arm64')
    const bytes = sifFile([layer, config, manifest, root({ digest: manifest.digest })], options)
    const found = await inspect(bytes)
    expect(found).toMatchObject({
      state: 'sif',
      kind: 'oci',
      arch: 'arm64',
      encrypted: false,
      labels: { a: 'arm64' },
      oci: {
        manifests: [
          { digest: manifest.digest, arch: 'arm64', os: 'linux', layers: [{ digest: layer.digest, size: 200_000 }] },
        ],
        cosign: [],
        notes: [],
      },
    })
    expect(found.reads, 'the front, and the documents behind the layer').toHaveLength(2)
  })

  it('signatures of cosign are no image, also where they come first', async () => {
    const { config, manifest } = image('amd64')
    const tag = `sha256-${'ab'.repeat(32)}.sig`
    const signed = { digest: 'sha256:none', annotations: { 'org.opencontainers.image.ref.name': `_cosign:${tag}` } }
    const found = await inspect(sifFile([config, manifest, root(signed, { digest: manifest.digest })], options))
    expect(found).toMatchObject({ arch: 'amd64', oci: { cosign: [tag], manifests: [{ arch: 'amd64' }], notes: [] } })
  })

  it('two images of two archs have none together', async () => {
    const [a, b] = [image('amd64'), image('arm64')]
    const index = root({ digest: a.manifest.digest }, { digest: b.manifest.digest })
    expect((await inspect(sifFile([a.config, a.manifest, b.config, b.manifest, index], options))).arch).toBeNull()
  })

  it('a document that is not what its digest says is not believed', async () => {
    const { config, manifest } = image('amd64')
    const swapped = { ...config, bytes: Buffer.from(String(config.bytes).replace('amd64', 'arm64')) }
    const found = await inspect(sifFile([swapped, manifest, root({ digest: manifest.digest })], options))
    expect(found.arch).toBeNull()
    expect(found.oci?.notes).toEqual([expect.stringContaining('has other bytes than its digest says')])
  })

  it.each([
    ['no JSON', Buffer.from('{{')],
    ['a list', json([])],
    ['manifests that are text', json({ manifests: 'x' })],
    ['entries that are nothing', json({ manifests: [null, 7, 'x', {}] })],
    ['a digest that is none', json({ manifests: [{ digest: '../../etc/passwd' }] })],
    ['ten thousand entries', json({ manifests: Array.from({ length: 10_000 }, () => ({ digest: 'x' })) })],
  ])('a root index of %s', async (_, bytes) => {
    expect(await inspect(sifFile([ociPart(TYPES.ociRootIndex, bytes)], options))).toMatchObject({
      state: 'sif',
      kind: 'oci',
      arch: null,
    })
  })
})

describe('bytes that are no SIF', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['127 bytes', makeSif().subarray(0, 127)],
    ['text', Buffer.from('x'.repeat(1000))],
    ['a magic in the wrong place', Buffer.concat([Buffer.from('SIF_MAGIC\0'), Buffer.alloc(1000)])],
    ['a magic without its end', Buffer.from(makeSif()).fill('X', 41, 42)],
  ])('%s', async (_, bytes) => {
    expect(await inspect(bytes)).toMatchObject({ state: 'not-a-sif', kind: null, signed: null, encrypted: null })
  })
})

describe('hostile files', () => {
  const nothingKnown = { kind: null, arch: null, signed: null, encrypted: null, objects: [], signatures: [] }
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = sifFile([definition, partition({ fileSystem: 5 }), signature(Buffer.from('x'))])
    change(bytes)
    return bytes
  }

  it.each([
    ['not-understood', 4097n],
    ['not-understood', 2n ** 31n],
    ['not-understood', 2n ** 62n],
    ['damaged', -1n],
    ['damaged', -(2n ** 63n)],
    ['damaged', 4096n],
  ])('%s: %s descriptors', async (state, count) => {
    const found = await inspect(changed((bytes) => bytes.writeBigInt64LE(count, header.total)))
    expect(found).toMatchObject({ state, ...nothingKnown })
    expect(bytesRead(found.reads)).toBeLessThanOrEqual(65_536)
  })

  it.each([
    ['damaged', -1n],
    ['damaged', 0n],
    ['damaged', 127n],
    ['damaged', 2n ** 62n],
    ['not-understood', 2n ** 40n],
    ['not-understood', 30_000n],
  ])('%s: a table at %s', async (state, offset) => {
    const bytes = changed((file) => file.writeBigInt64LE(offset, header.descriptorsOffset))
    expect(await inspect(bytes)).toMatchObject({ state, ...nothingKnown })
  })

  const field = (slot: number, at: number) => tableAt + slot * descriptorSize + at
  it.each<[string, (bytes: Buffer) => void]>([
    ['an offset inside the header', (bytes) => bytes.writeBigInt64LE(64n, field(0, descriptor.offset))],
    ['a negative offset', (bytes) => bytes.writeBigInt64LE(-1n, field(0, descriptor.offset))],
    ['a negative size', (bytes) => bytes.writeBigInt64LE(-1n, field(0, descriptor.size))],
    ['a size behind the end', (bytes) => bytes.writeBigInt64LE(1_000_000n, field(0, descriptor.size))],
    ['an offset behind the end', (bytes) => bytes.writeBigInt64LE(2n ** 53n - 1n, field(0, descriptor.offset))],
    ['the id 0', (bytes) => bytes.writeUInt32LE(0, field(0, descriptor.id))],
    ['an id twice', (bytes) => bytes.writeUInt32LE(2, field(0, descriptor.id))],
    [
      'two primary partitions',
      (bytes) =>
        bytes.copy(bytes, field(0, descriptor.extra), field(1, descriptor.extra), field(1, descriptor.extra) + 11) &&
        bytes.writeInt32LE(0x4004, field(0, 0)),
    ],
    ['a table that is said to be short', (bytes) => bytes.writeBigInt64LE(100n, header.descriptorsSize)],
  ])('damaged: %s', async (_, change) => {
    expect(await inspect(changed(change))).toMatchObject({
      state: 'damaged',
      ...nothingKnown,
      reason: expect.any(String),
    })
  })

  it('another version of the format is not understood', async () => {
    expect(await inspect(changed((bytes) => bytes.write('02', header.version)))).toMatchObject({
      state: 'not-understood',
      ...nothingKnown,
    })
  })

  it('a file that is cut inside its table is not understood, and one cut inside its data is damaged', async () => {
    const bytes = changed(() => {})
    expect((await inspect(bytes.subarray(0, 128))).state).toBe('not-understood')
    expect((await inspect(bytes.subarray(0, 20_000))).state).toBe('not-understood')
    expect((await inspect(bytes.subarray(0, bytes.length - 1))).state).toBe('damaged')
  })

  it('a free slot means nothing, whatever its other bytes are', async () => {
    const bytes = changed((file) => {
      file.writeUInt8(0, field(2, descriptor.used))
      file.writeBigInt64LE(-1n, field(2, descriptor.offset))
    })
    expect(await inspect(bytes)).toMatchObject({ state: 'sif', signed: false, encrypted: true })
  })

  it('an error of the source is thrown on', async () => {
    const source = { size: 1000, read: () => Promise.reject(new Error('the store is gone')) }
    await expect(inspectSif(source)).rejects.toThrow('the store is gone')
  })

  it('random bytes behind the magic never throw', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 100, maxLength: 3000 }), async (noise) => {
        expect((await inspect(Buffer.concat([makeSif().subarray(0, 88), noise]))).state).not.toBe('not-a-sif')
      }),
      { numRuns: 300 },
    )
  })
})
