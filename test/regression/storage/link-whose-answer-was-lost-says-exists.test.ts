/** Over NFS a link whose answer was lost is made again by the kernel, which then says EEXIST although the first one succeeded: a blob that was published was `exists`. */
import { link, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Layout, makeLayout } from '../../../src/storage/blob/filesystem/layout.js'
import { publishFile } from '../../../src/storage/blob/filesystem/publish.js'

let root: string
let layout: Layout
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sif-library-'))
  layout = makeLayout(root)
  await mkdir(join(root, 'keys', 'a'), { recursive: true })
  await writeFile(join(root, 'source'), 'bytes')
})
afterEach(() => rm(root, { recursive: true }))

const publish = () =>
  publishFile({
    key: 'a/b',
    source: join(root, 'source'),
    target: join(root, 'keys', 'a', 'b'),
    layout,
    durability: 'full',
  })

test('a name that is this very file is the link that was asked for', async () => {
  await link(join(root, 'source'), join(root, 'keys', 'a', 'b'))
  await publish()
  expect(await readFile(join(root, 'keys', 'a', 'b'), 'utf8')).toBe('bytes')
})

test('another file with the same bytes has the key', async () => {
  await writeFile(join(root, 'keys', 'a', 'b'), 'bytes')
  await expect(publish()).rejects.toMatchObject({ code: 'exists' })
})
