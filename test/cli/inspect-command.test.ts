/** `sif-library inspect`, in this process. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { run } from '../../src/cli/program.js'
import { filesystemStorage } from '../../src/storage/blob/filesystem/index.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'
import { partition, sifFile, signature, TYPES } from '../fixtures/sif-file.js'
import { hashOf, push } from '../support/push.js'
import { createTestRegistry } from '../support/registry.js'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sif-library-inspect-'))
  mkdirSync(join(home, 'data'))
})
afterEach(() => rmSync(home, { recursive: true }))

async function call(...words: readonly string[]): Promise<{ code: number; out: string; notes: string }> {
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

const image = sifFile([
  { type: TYPES.definition, bytes: Buffer.from('bootstrap: docker\n\u001b[2Jfrom: alpine\n') },
  { type: TYPES.labels, bytes: Buffer.from('{"main\\ntainer":"Ann\\u0007"}') },
  partition({ arch: 'arm64', fileSystem: 6 }),
  signature(Buffer.from('x'), { fingerprint: 'ab'.repeat(20) }),
])

async function withRegistry(): Promise<void> {
  const registry = await createTestRegistry({
    storage: filesystemStorage({ directory: join(home, 'data', 'blobs') }),
    metadata: sqliteMetadata({ file: join(home, 'data', 'registry.db') }),
  })
  await push(registry, 'alice/tools/bwa', image, { arch: 'arm64' })
  await registry.close()
}

it('shows a file to people, without a character that the terminal obeys', async () => {
  const file = join(home, 'a.sif')
  writeFileSync(file, image)
  const { code, out } = await call('inspect', file)
  expect(code).toBe(0)
  expect(out).toMatch(
    /^state {6}sif\nkind {7}image\narch {7}arm64\nencrypted {2}yes\nsignatures 1 \(claimed, not verified\)/,
  )
  expect(out).toMatch(/3 +1 +- +17 +partition +gocryptfs-squashfs, primary-system, arm64/)
  expect(out).toMatch(/4 +- +group 1 +1 +signature +(AB){20}/)
  expect(out).toContain('main\\ntainer: Ann\\u0007')
  expect(out).toContain('bootstrap: docker\n\\u001b[2Jfrom: alpine')
  expect(out).not.toContain('\u001b')
})

it('as JSON it is what the reader says', async () => {
  const file = join(home, 'a.sif')
  writeFileSync(file, image)
  expect(JSON.parse((await call('inspect', file, '--json')).out)).toMatchObject({
    ...{ state: 'sif', arch: 'arm64', encrypted: true, objects: [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }] },
  })
})

it.each([
  ['no SIF', Buffer.from('text'), 'state      not-a-sif (the file does not begin as a SIF file does)'],
  ['a cut one', image.subarray(0, 20_000), 'state      not-understood (the descriptor table is cut off)'],
])('%s is exit code 1', async (_, bytes, line) => {
  const file = join(home, 'b.sif')
  writeFileSync(file, bytes)
  expect(await call('inspect', file)).toEqual({ code: 1, out: line, notes: '' })
})

it('shows an image of the registry by its reference', async () => {
  await withRegistry()
  const { code, out } = await call('inspect', 'library://alice/tools/bwa:latest', '--arch', 'arm64')
  expect(code).toBe(0)
  expect(out).toMatch(
    new RegExp(`^image {6}alice/tools/bwa:${hashOf(image)} \\(${image.length} bytes\\)\nstate {6}sif\n`),
  )
  expect((await call('inspect', 'alice/tools/none')).code).toBe(1)
  expect((await call('inspect', './missing.sif')).code).toBe(1)
})

it('--all reads what is not read yet, --again everything', async () => {
  await withRegistry()
  expect(await call('inspect', '--all')).toMatchObject({ code: 0, out: '0 inspected, 0 unreadable' })
  expect(JSON.parse((await call('inspect', '--all', '--again', '--json')).out)).toMatchObject({
    ...{ inspected: 1, unreadable: 0, items: [{ path: 'alice/tools/bwa', outcome: 'sif' }] },
  })
})

it.each([[['inspect']], [['inspect', 'x', '--all']], [['inspect', 'x', '--again']]])(
  '%j is no command',
  async (words) => {
    expect((await call(...words)).code).toBe(2)
  },
)
