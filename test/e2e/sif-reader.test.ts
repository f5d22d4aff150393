/** Our reader of SIF files beside the official one, over files of every kind. */
import { mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { inspectSif, type SifInspection, type SifObject } from '../../src/sif/index.js'
import { partition, sifFile, signature } from '../fixtures/sif-file.js'
import { describeWhen } from './harness/availability.js'
import { buildGo, goMissing } from './harness/go.js'
import {
  describeOfficially,
  type OfficialDescription,
  type OfficialObject,
  officialFiles,
  siftool,
} from './harness/siftool.js'

async function inspectFile(path: string): Promise<SifInspection> {
  const file = await open(path)
  try {
    return await inspectSif({
      size: (await file.stat()).size,
      read: async (offset, length) => {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset)
        return buffer.subarray(0, bytesRead)
      },
    })
  } finally {
    await file.close()
  }
}

/** Names of the official library, as ours. */
const words: Readonly<Record<string, string>> = {
  ...{ 'Def.FILE': 'definition', 'Env.Vars': 'environment', 'JSON.Labels': 'labels', FS: 'partition' },
  ...{ Signature: 'signature', 'JSON.Generic': 'json', 'Generic/Raw': 'generic' },
  ...{ 'Cryptographic Message': 'cryptographic-message', SBOM: 'sbom' },
  ...{ 'OCI.RootIndex': 'oci-root-index', 'OCI.Blob': 'oci-blob' },
  ...{ Squashfs: 'squashfs', Ext3: 'ext3', Archive: 'archive', Raw: 'raw', 'Encrypted squashfs': 'encrypted-squashfs' },
  ...{ System: 'system', '*System': 'primary-system', Data: 'data', Overlay: 'overlay' },
  ...{ OpenPGP: 'openpgp', PEM: 'pem', 'Clear Signature': 'clear-signature', 'RSA-OAEP': 'rsa-oaep' },
}
const ours = (word: string | undefined): string | undefined => (word === undefined ? undefined : (words[word] ?? word))

function comparable(object: OfficialObject): Partial<SifObject> {
  const { id, name, group, link, linkIsGroup, offset, size, createdAt } = object
  const type = ours(object.type) as SifObject['type']
  return {
    ...{ id, name, offset, size, type },
    group: group === 0 ? null : group,
    link: link === 0 ? null : linkIsGroup ? { group: link } : { object: link },
    createdAt: new Date(createdAt * 1000).toISOString(),
    ...(type === 'partition' && {
      partition: {
        fileSystem: ours(object.fileSystem) ?? '',
        role: ours(object.partition) ?? '',
        arch: object.arch === 'unknown' ? null : (object.arch ?? ''),
        encrypted: object.fileSystem === 'Encrypted squashfs',
      },
    }),
    ...(type === 'signature' && {
      signature: {
        hash: (object.hash ?? '').replace('SHA-', 'sha'),
        fingerprint: object.fingerprint?.toUpperCase() ?? null,
      },
    }),
    ...(type === 'cryptographic-message' && {
      message: { format: ours(object.format) ?? '', kind: ours(object.message) ?? '' },
    }),
    ...(type === 'sbom' && { sbom: { format: object.format ?? '' } }),
    ...(object.digest !== undefined && { digest: object.digest }),
  }
}

function expectSame(found: SifInspection, official: OfficialDescription): void {
  const { version, launch, id, slots } = official
  expect(found.header).toMatchObject({ version, launch, id, slots })
  expect(found.header?.arch ?? 'unknown').toBe(official.arch)
  expect(found.objects.map(({ code: _, modifiedAt: _modified, ...object }) => object)).toEqual(
    official.objects.map(comparable),
  )
}

describeWhen(goMissing(), 'SIF files of every kind, beside siftool')('SIF files of every kind, beside siftool', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sif-library-reader-'))
    await buildGo('siftool')
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('a file to which siftool added an object of every type', async () => {
    const file = join(folder, 'every.sif')
    const content = join(folder, 'content')
    await writeFile(content, '{"components":[{},{}],"schemaVersion":2,"manifests":[]}')
    await siftool('new', file)
    const add = (...flags: readonly string[]) => siftool('add', file, content, ...flags)
    for (const type of ['1', '2', '3', '6', '7']) await add('--datatype', type, '--groupid', '1')
    for (const [fileSystem, role, arch] of [
      ['1', '2', '4'],
      ['2', '4', '12'],
      ['3', '1', '13'],
      ['4', '3', '1'],
    ] as const)
      await add('--datatype', '4', '--partfs', fileSystem, '--parttype', role, '--partarch', arch, '--groupid', '2')
    for (const hash of ['1', '2', '3'])
      await add('--datatype', '5', '--signhash', hash, '--signentity', '433FE984155206BD962725E20E8713472A879943')
    const formats = 'cyclonedx-json cyclonedx-xml github-json spdx-json spdx-rdf spdx-tag-value spdx-yaml syft-json'
    for (const format of formats.split(' ')) await add('--datatype', '9', '--sbomformat', format, '--link', '1')
    await add('--datatype', '10')
    await add('--datatype', '11', '--filename', 'a name with "quotes"')
    await siftool('del', '3', file)

    const official = await describeOfficially(file)
    const found = await inspectFile(file)
    if (official === undefined) throw new Error('the official library refuses its own file')
    expectSame(found, official)
    expect(found).toMatchObject({ state: 'sif', kind: 'image', arch: 'arm64', signed: true, encrypted: false })
    expect(found.sboms.map(({ format, components }) => [format, components])).toEqual(
      formats.split(' ').map((format) => [format, format === 'cyclonedx-json' ? 2 : null]),
    )
  })

  it('the files of the official library itself', async () => {
    const images = join(await officialFiles(), 'images')
    const names = (await readdir(images)).filter((name) => name.endsWith('.sif'))
    expect(names.length).toBeGreaterThan(15)
    for (const name of names) {
      const official = await describeOfficially(join(images, name))
      if (official === undefined) throw new Error(`the official library refuses ${name}`)
      const found = await inspectFile(join(images, name))
      expect(found.state, name).toBe('sif')
      expectSame(found, official)
      const format = /dsse|legacy|pgp/.exec(name)?.[0]
      expect(new Set(found.signatures.map((each) => each.format)), name).toEqual(new Set(format ? [format] : []))
    }
  })

  it('files of ours, also with a used byte of 2, encrypted and with a raw group', async () => {
    const file = join(folder, 'ours.sif')
    for (const parts of [
      [partition({ fileSystem: 5, used: 2 }), signature(Buffer.from('x'), { hash: 2, fingerprint: 'ab'.repeat(20) })],
      [partition({ group: 7 }), partition({ role: 4, fileSystem: 2, arch: 'unknown' })],
    ]) {
      await writeFile(file, sifFile(parts, { slots: 5, tableAt: 200, time: -62_135_596_800n }))
      const official = await describeOfficially(file)
      if (official === undefined) throw new Error('the official library refuses a file of ours')
      expectSame(await inspectFile(file), official)
    }
  })

  it('what the official library refuses is refused, or more', async () => {
    const good = join(await officialFiles(), 'images', 'one-group-signed-pgp.sif')
    const file = join(folder, 'changed.sif')
    const { size } = await stat(good)
    const handle = await open(good)
    const { buffer } = await handle.read(Buffer.alloc(size), 0, size, 0)
    await handle.close()
    // each byte of the header from the magic on, and the used bytes of the table
    for (const at of [...Array.from({ length: 128 - 32 }, (_, index) => 32 + index), 4100, 4685, 5270]) {
      const changed = Buffer.from(buffer)
      changed[at] = (changed[at] ?? 0) ^ 0x41
      // the official library asks for so much memory
      if (at >= 90 && at < 96) continue
      await writeFile(file, changed)
      const [official, found] = [await describeOfficially(file), await inspectFile(file)]
      if (official === undefined) expect(found.state, `byte ${at}`).not.toBe('sif')
      else if (found.state === 'sif') expectSame(found, official)
    }
  })
})
