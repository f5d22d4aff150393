import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeSif, SIF_ARCHES, SIF_LAYOUT } from '../fixtures/sif.js'
import { describeWhen } from './harness/availability.js'
import { buildGo, goMissing } from './harness/go.js'
import { makeRealSif, readRealSif } from './harness/sif.js'

const SIGNER = '0102030405060708090a0b0c0d0e0f1011121314'

describeWhen(goMissing(), 'SIF files against the ordinary SIF library')(
  'SIF files against the ordinary SIF library',
  () => {
    let folder = ''
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'sif-library-sif-'))
      await buildGo('sif')
    })
    afterAll(() => rm(folder, { recursive: true, force: true }))

    it.each(Object.keys(SIF_ARCHES).filter((arch) => arch !== 'unknown'))('reads our %s fixture', async (arch) => {
      const file = join(folder, `ours-${arch}.sif`)
      await writeFile(file, makeSif({ arch, id: '87388153-48f6-421b-b3ea-a72be554645b'.replaceAll('-', '') }))
      expect(await readRealSif(file)).toMatchObject({
        version: '01',
        arch,
        id: '87388153-48f6-421b-b3ea-a72be554645b',
        launch: '#!/usr/bin/env run-singularity\n',
        createdAt: 1_700_000_000,
        descriptorsFree: 47,
        descriptorsTotal: 48,
        dataOffset: 32_176,
        dataSize: 100_000 - 32_176,
        size: 100_000,
        objects: [
          {
            id: 1,
            type: 'FS',
            name: 'squashfs',
            group: 1,
            offset: 32_768,
            size: 100_000 - 32_768,
            fileSystem: 'Squashfs',
            partition: '*System',
            arch,
          },
        ],
      })
    })

    it('reads our encrypted and signed fixture', async () => {
      const file = join(folder, 'ours-signed.sif')
      await writeFile(file, makeSif({ encrypted: true, fingerprints: [SIGNER, SIGNER] }))
      const { objects } = await readRealSif(file)
      expect(objects.map(({ type }) => type)).toEqual(['FS', 'Signature', 'Signature'])
      expect(objects[0]).toMatchObject({ fileSystem: 'Encrypted squashfs' })
      expect(objects[2]).toMatchObject({ hash: 'SHA-256', fingerprint: SIGNER, group: 0, size: 512 })
    })

    it('calls a fixture without a partition unknown', async () => {
      const file = join(folder, 'ours-empty.sif')
      await writeFile(file, makeSif({ partition: false, size: 40_000 }))
      expect(await readRealSif(file)).toMatchObject({ arch: 'unknown', objects: [] })
    })

    it('writes the same bytes as the ordinary library, but for identity and content', async () => {
      const file = join(folder, 'theirs.sif')
      const theirs = await makeRealSif(file, {
        size: 100_000,
        arch: 'riscv64',
        encrypted: true,
        fingerprints: [SIGNER],
      })
      const real = await readFile(file)
      const ours = makeSif({
        arch: 'riscv64',
        encrypted: true,
        fingerprints: [SIGNER],
        id: theirs.id.replaceAll('-', ''),
        time: theirs.createdAt,
      })
      expect(ours.length).toBe(real.length)
      expect(ours.subarray(0, SIF_LAYOUT.headerSize).equals(real.subarray(0, SIF_LAYOUT.headerSize))).toBe(true)
      expect(withoutOwner(ours).equals(withoutOwner(real))).toBe(true)
    })
  },
)

/** The descriptors; the real library leaves who made the file in the deprecated UID and GID. */
function withoutOwner(file: Buffer): Buffer {
  const descriptors = Buffer.from(file.subarray(4096, 32_176))
  for (let at = 57; at < descriptors.length; at += SIF_LAYOUT.descriptorSize) descriptors.fill(0, at, at + 16)
  return descriptors
}
