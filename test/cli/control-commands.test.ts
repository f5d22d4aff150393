/** list, usage, activity, tag, untag and delete, in this process: on a data folder, and against a server by a token. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { libraryListener } from '../../src/adapters/node.js'
import { run } from '../../src/cli/program.js'
import { filesystemStorage } from '../../src/storage/blob/filesystem/index.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { type ControlWorld, createControlWorld } from '../core/control/support.js'
import type { Pushed } from '../support/push.js'

let home: string
let world: ControlWorld
let bwa: Pushed

const open = (): Promise<ControlWorld> =>
  createControlWorld({
    storage: filesystemStorage({ directory: join(home, 'data', 'blobs') }),
    metadata: sqliteMetadata({ file: join(home, 'data', 'registry.db') }),
  })

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'sif-library-control-'))
  mkdirSync(join(home, 'data'))
  world = await open()
  await world.push('alice/tools/bwa', 'old', ['0.7'])
  bwa = await world.push('alice/tools/bwa', 'new', ['0.8', 'latest'])
  await world.push('bob/ml/torch', 'torch')
})
afterEach(async () => {
  await world.close()
  rmSync(home, { recursive: true })
})

async function type(...words: readonly string[]): Promise<{ code: number; out: string; notes: string }> {
  const out: string[] = []
  const notes: string[] = []
  const code = await run([...words, '--data', join(home, 'data')], {
    out: (line) => out.push(line),
    note: (line) => notes.push(line),
    progress: () => {},
    environment: {},
    home,
  })
  return { code, out: out.join('\n'), notes: notes.join('\n') }
}

describe('on the data folder, beside a running server', () => {
  it('lists containers, and the tags and untagged images of one', async () => {
    const all = await type('list')
    expect(all.out.split('\n')[0]).toMatch(/^PATH +VISIBILITY +LATEST +IMAGES +SIZE +PULLS +CHANGED +BY$/)
    expect(all.out).toMatch(/alice\/tools\/bwa +public +latest +2 /)
    expect((await type('list', 'bob')).out).not.toContain('alice')
    await type('untag', 'alice/tools/bwa:0.7')
    const rows = JSON.parse((await type('list', 'library://alice/tools/bwa', '--json')).out) as { tag: string | null }[]
    expect(rows.map(({ tag }) => tag)).toEqual(['0.8', 'latest', null])
    expect(await type('list', '--limit', '1')).toMatchObject({ notes: expect.stringContaining('only the first 1') })
    expect(await type('list', 'nobody')).toMatchObject({ out: '', notes: 'nothing is here' })
    expect(await type('list', 'a//b')).toMatchObject({ code: 2 })
  })

  it('writes CSV that no spreadsheet runs', async () => {
    await world.library.operator.containers.update('alice/tools/bwa', { description: '=cmd|"x", and more' })
    const lines = (await type('list', 'alice', '--csv')).out.split('\n')
    expect(lines[0]).toMatch(/^path,description,private,/)
    expect(lines[1]).toMatch(/^alice\/tools\/bwa,"'=cmd\|""x"", and more",false,/)
  })

  it('shows who uses the space and who did what', async () => {
    const usage = JSON.parse((await type('usage', '--json')).out) as { images: number; children: { path: string }[] }
    expect(usage.images).toBe(3)
    expect(usage.children.map(({ path }) => path)).toEqual(['alice', 'bob'])
    expect((await type('usage', 'alice')).out).toMatch(/alice\/tools +\d+ B +2/)
    expect(await type('usage', 'alice/tools/bwa')).toMatchObject({ code: 2 })
    const done = await type('activity', 'alice/tools/bwa', '--limit', '2')
    expect(done.out).toMatch(/alice +tag\.moved +alice\/tools\/bwa:latest/)
    expect(done.out.split('\n')).toHaveLength(3)
  })

  it('shows and changes a quota', async () => {
    expect((await type('quota', 'alice')).out).toMatch(/^alice: \d+ B used, no limit$/)
    expect((await type('quota', 'alice', '10GiB')).out).toMatch(/^alice: \d+ B used, of 10\.0 GiB$/)
    expect(JSON.parse((await type('quota', 'alice', 'unlimited', '--json')).out)).toMatchObject({ quotaBytes: null })
    expect(await type('quota', 'alice', 'much')).toMatchObject({ code: 2 })
    expect(await type('quota', 'nobody')).toMatchObject({ code: 1 })
  })

  it('moves a tag to the image of another', async () => {
    const moved = await type('tag', 'alice/tools/bwa:0.7', 'latest')
    expect(moved).toMatchObject({ code: 0 })
    expect(moved.out).toMatch(/^alice\/tools\/bwa:latest \(amd64\) is sha256\./)
    expect(moved.out).not.toContain(bwa.hash)
    const back = await type('tag', `alice/tools/bwa:${bwa.hash}`, 'latest', '--json')
    expect(JSON.parse(back.out)).toMatchObject({ tag: 'latest', hash: bwa.hash })
    expect(await type('tag', 'alice/tools/bwa:none', 'latest')).toMatchObject({ code: 1 })
    expect((await type('activity', 'alice/tools/bwa', '--limit', '1')).out).toContain('operator')
  })

  it('says what a deletion takes, and deletes when told so', async () => {
    const asked = await type('delete', 'alice/tools/bwa')
    expect(asked).toMatchObject({ code: 1, notes: 'nothing was deleted: say --yes' })
    expect(asked.out).toMatch(/^alice\/tools\/bwa: 1 container, 2 images, 3 tags, \d+ B would go$/)
    expect((await type('list', 'alice/tools/bwa')).out).toContain('0.8')
    expect(await type('delete', 'alice/tools/bwa:latest')).toMatchObject({ code: 2 })
    expect(await type('delete', `alice/tools/bwa:${bwa.hash}`, '--yes')).toMatchObject({ code: 0 })
    expect((await type('list', 'alice/tools/bwa')).out).not.toContain('0.8')
    expect(await type('delete', 'alice', '--yes')).toMatchObject({ code: 0 })
    expect((await type('list')).out).not.toContain('alice')
    expect(await type('delete', 'alice', '--yes')).toMatchObject({ code: 1 })
  })
})

describe('against a server', () => {
  let url: string
  let stop: () => void
  beforeEach(async () => {
    const server = createServer(libraryListener(world.library))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    stop = () => {
      server.closeAllConnections()
      server.close()
    }
  })
  afterEach(() => stop())

  it('sees and does what the token may', async () => {
    await world.library.operator.containers.update('alice/tools/bwa', { private: true })
    expect((await type('list', '--url', url)).out).not.toContain('alice')
    const file = join(home, 'token')
    const { token } = await world.library.accounts.createToken({ user: 'alice' })
    writeFileSync(file, `${token}\n`)
    const asAlice = ['--url', url, '--token-file', file]
    expect((await type('list', ...asAlice)).out).toContain('alice/tools/bwa')
    expect(await type('delete', 'bob/ml/torch', '--yes', ...asAlice)).toMatchObject({ code: 1 })
    expect(await type('untag', 'alice/tools/bwa:0.7', ...asAlice)).toMatchObject({ code: 0 })
  })

  it('says in one line what the server refuses, and that there is none', async () => {
    const refused = await type('delete', 'alice/tools/bwa', '--yes', '--url', url)
    expect(refused.code).toBe(1)
    expect(refused.notes.split('\n')).toHaveLength(1)
    const gone = await type('list', '--url', 'http://127.0.0.1:1')
    expect(gone.code).toBe(1)
    expect(gone.notes.split('\n')).toHaveLength(1)
    expect(await type('list', '--token-file', 'x')).toMatchObject({ code: 2 })
  })
})
