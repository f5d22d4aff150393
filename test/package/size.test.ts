/** What each entry point costs: bytes, packages that it pulls in, and the time to load it. */

import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { beforeAll, describe, expect, test } from 'vitest'
import { ensureBuilt } from '../e2e/harness/build.js'
import { PACKAGE } from '../e2e/harness/paths.js'
import { run } from '../e2e/harness/run.js'
import { readJson } from './packed.js'

interface Budget {
  /** Kilobytes of our own code with everything that it imports from this package, as published: a bundler makes about half of it. */
  readonly kilobytes: number
  /** Packages that are imported at once: no framework, SDK or driver is, whatever the door. */
  readonly packages: readonly string[]
}

const budgets: Readonly<Record<string, Budget>> = {
  '.': { kilobytes: 400, packages: ['zod'] },
  './express': { kilobytes: 8, packages: [] },
  './koa': { kilobytes: 8, packages: [] },
  './fastify': { kilobytes: 10, packages: [] },
  './node': { kilobytes: 8, packages: [] },
  './fetch': { kilobytes: 6, packages: [] },
  './extension': { kilobytes: 10, packages: [] },
  // the schemas of the use cases, which the core has too: both doors together are little more than the core alone
  './api': { kilobytes: 220, packages: ['zod'] },
  './client': { kilobytes: 24, packages: [] },
  './sif': { kilobytes: 30, packages: [] },
  './storage': { kilobytes: 6, packages: [] },
  './storage/memory': { kilobytes: 14, packages: [] },
  './storage/filesystem': { kilobytes: 48, packages: [] },
  './storage/s3': { kilobytes: 106, packages: [] },
  './metadata': { kilobytes: 4, packages: [] },
  './metadata/sqlite': { kilobytes: 160, packages: [] },
  './metadata/postgres': { kilobytes: 160, packages: [] },
  './ui': { kilobytes: 18, packages: [] },
  './testing': { kilobytes: 280, packages: [] },
}

let manifest: { readonly exports: Readonly<Record<string, { readonly import: { readonly default: string } }>> }

beforeAll(async () => {
  await ensureBuilt()
  manifest = await readJson('package.json')
})

const fileOf = (door: string): string => join(PACKAGE, manifest.exports[door]?.import.default ?? door)

/** Bytes of a built file and of what it imports from this package at once (imports inside functions do not count), and the packages that it imports at once. */
async function weigh(file: string, seen: Set<string> = new Set()): Promise<{ bytes: number; packages: string[] }> {
  if (seen.has(file)) return { bytes: 0, packages: [] }
  seen.add(file)
  const text = await readFile(file, 'utf8')
  let bytes = Buffer.byteLength(text)
  const packages: string[] = []
  for (const [, name = ''] of text.matchAll(/^(?:import|export)\b[^;'"]*["']([^"']+)["']/gm)) {
    if (name.startsWith('node:')) continue
    if (!name.startsWith('.')) packages.push(name)
    else {
      const inner = await weigh(join(dirname(file), name), seen)
      bytes += inner.bytes
      packages.push(...inner.packages)
    }
  }
  return { bytes, packages: [...new Set(packages)].sort() }
}

test('every entry point has a budget', () => {
  expect(Object.keys(budgets).sort()).toEqual(
    Object.keys(manifest.exports)
      .filter((name) => !name.endsWith('.json'))
      .sort(),
  )
})

test('the command keeps to its budget, with the libraries that it carries', async () => {
  const { size } = await stat(join(PACKAGE, 'dist/cli/main.js'))
  expect(Math.ceil(size / 1024)).toBeLessThanOrEqual(720)
})

/** Bytes of a file of the page as a browser gets it, compressed by gzip. */
const compressed = async (name: string): Promise<number> => (await stat(join(PACKAGE, 'dist/ui', `${name}.gz`))).size

test('the page keeps to its budget: what a browser loads first, each view that comes later, all of it', async () => {
  const page = join(PACKAGE, 'dist/ui')
  const html = await readFile(join(page, 'index.html'), 'utf8')
  const linked = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, name = '']) => name)
  const sum = async (type: string): Promise<number> =>
    (await Promise.all(linked.filter((name) => name.endsWith(type)).map(compressed))).reduce((all, one) => all + one, 0)
  expect(linked.length).toBeGreaterThan(1)
  expect(await sum('.js')).toBeLessThanOrEqual(45_000)
  expect(await sum('.css')).toBeLessThanOrEqual(8000)
  const { files } = JSON.parse(await readFile(join(page, 'manifest.json'), 'utf8')) as { files: Record<string, object> }
  const names = Object.keys(files)
  for (const name of names.filter((each) => !linked.includes(each)))
    expect(await compressed(name), name).toBeLessThanOrEqual(25_000)
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(page, name))).size))
  expect(sizes.reduce((all, one) => all + one, 0)).toBeLessThanOrEqual(400_000)
})

describe.each(Object.entries(budgets))('%s', (door, budget) => {
  test('keeps to its budget', async () => {
    const { bytes, packages } = await weigh(fileOf(door))
    expect(packages).toEqual(budget.packages)
    expect(Math.ceil(bytes / 1024)).toBeLessThanOrEqual(budget.kilobytes)
  })
  test('is loaded quickly, and leaves nothing that keeps a process alive', async () => {
    const started = performance.now()
    const { code, stderr } = await run(process.execPath, {
      args: ['--input-type=module', '-e', `await import(${JSON.stringify(fileOf(door))})`],
      timeout: 20_000,
    })
    expect([code, stderr.replace(/\(node:\d+\)[^\n]*\n(\(Use[^\n]*\n)?/g, '')]).toEqual([0, ''])
    // the process itself takes most of it; a busy machine gets room
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})
