/** The client built into Singularity 3.0 to 3.2, emulated: v1 upload and tags, empty path segments, ids of 24 hex digits. Needs no Go. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeSif } from '../fixtures/sif.js'
import { makeOldClient, type OldClient } from './harness/client-3.0.js'
import { type Registry, startExpress, startServe } from './harness/server.js'

const HOSTS = [
  { name: 'sif-library serve', start: () => startServe() },
  { name: 'Express under a prefix', start: () => startExpress({ prefix: '/library' }) },
]

describe.each(HOSTS)('Singularity 3.0-3.2 against $name', ({ start }) => {
  let registry: Registry
  let folder: string
  let alice: OldClient
  let anonymous: OldClient
  const amd64 = makeSif({ arch: 'amd64', seed: 30 })
  const arm64 = makeSif({ arch: 'arm64', seed: 31 })
  const file = (name: string): string => join(folder, name)
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sif-library-old-'))
    await writeFile(file('amd64.sif'), amd64)
    await writeFile(file('arm64.sif'), arm64)
    registry = await start()
    alice = makeOldClient({ url: registry.url, token: await registry.tokenOf('alice') })
    anonymous = makeOldClient({ url: registry.url })
  })
  afterAll(async () => {
    await registry?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  it('pushes through v1, and not twice', async () => {
    expect(await alice.push(file('amd64.sif'), 'alice/tools/samtools')).toBe(true)
    expect(await alice.push(file('amd64.sif'), 'alice/tools/samtools:1.0,1.1')).toBe(false)
  })

  it('pulls by default tag and by tag', async () => {
    for (const selector of ['', ':latest', ':1.0', ':1.1'])
      expect((await anonymous.pull(`alice/tools/samtools${selector}`)).equals(amd64)).toBe(true)
  })

  it('pulls an image of two parts and of one, with empty segments for what is missing', async () => {
    const admin = makeOldClient({ url: registry.url, token: registry.token })
    await admin.push(file('amd64.sif'), 'library/default/alpine')
    await admin.push(file('amd64.sif'), 'library/base/debian:12')
    expect((await anonymous.pull('alpine')).equals(amd64)).toBe(true)
    expect((await anonymous.pull('base/debian:12')).equals(amd64)).toBe(true)
    await expect(anonymous.pull('no-such-image')).rejects.toThrow('does not exist')
  })

  it('keeps the default arch when another arch comes under the same tag, read from the SIF header', async () => {
    await alice.push(file('arm64.sif'), 'alice/tools/samtools:1.0')
    expect((await anonymous.pull('alice/tools/samtools:1.0')).equals(amd64)).toBe(true)
    const response = await fetch(`${registry.url}/v1/images/alice/tools/samtools:1.0?arch=arm64`)
    expect(await response.json()).toMatchObject({ data: { arch: 'arm64', size: arm64.length } })
  })

  it('searches entities, collections and containers', async () => {
    expect(await anonymous.search('samtools')).toMatchObject({ container: [{ name: 'samtools' }] })
    expect(await anonymous.search('alice')).toMatchObject({ entity: [{ name: 'alice' }] })
  })

  it('is refused without a token, with a wrong one, and in a foreign namespace', async () => {
    await expect(anonymous.push(file('amd64.sif'), 'alice/tools/other')).rejects.toThrow('401')
    await expect(
      makeOldClient({ url: registry.url, token: 'wrong' }).push(file('amd64.sif'), 'alice/tools/other'),
    ).rejects.toThrow('401')
    await expect(alice.push(file('amd64.sif'), 'bob/tools/other')).rejects.toThrow('403')
  })

  it('refuses bytes that are not what was announced', async () => {
    const token = await registry.tokenOf('alice')
    const announced = await fetch(`${registry.url}/v1/containers/alice/tools/samtools`)
    const { data } = (await announced.json()) as { data: { id: string } }
    const made = await fetch(`${registry.url}/v1/images`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ hash: `sha256.${'ab'.repeat(32)}`, container: data.id }),
    })
    const image = ((await made.json()) as { data: { id: string } }).data
    const sent = await fetch(`${registry.url}/v1/imagefile/${image.id}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(amd64),
    })
    expect(sent.status).toBe(422)
    await expect(alice.pull(`alice/tools/samtools:sha256.${'ab'.repeat(32)}`)).rejects.toThrow(
      /does not exist|was not found/,
    )
  })
})
