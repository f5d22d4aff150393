/** What would be published: entry points, files, and what the usual checkers say. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { PACKAGE } from '../e2e/harness/paths.js'
import { run } from '../e2e/harness/run.js'
import { type Packed, pack, readJson } from './packed.js'

interface Manifest {
  readonly exports: Readonly<
    Record<
      string,
      string | Readonly<Record<'import' | 'require', { readonly types: string; readonly default: string }>>
    >
  >
  readonly bin: Readonly<Record<string, string>>
  readonly typesVersions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>
}

let packed: Packed
let manifest: Manifest
let entries: Readonly<Record<string, string>>

beforeAll(async () => {
  packed = await pack()
  manifest = await readJson('package.json')
  entries = await readJson('entries.json')
})

test('entries.json, the exports of package.json and the tarball say the same', () => {
  const doors = Object.keys(manifest.exports).filter((name) => !name.endsWith('.json'))
  expect(doors.sort()).toEqual(Object.keys(entries).sort())
  for (const [door, source] of Object.entries(entries)) {
    expect(existsSync(join(PACKAGE, source)), source).toBe(true)
    const file = door === '.' ? 'index' : door.slice(2)
    expect(manifest.exports[door]).toEqual({
      import: { types: `./dist/${file}.d.ts`, default: `./dist/${file}.js` },
      require: { types: `./dist/${file}.d.cts`, default: `./dist/${file}.cjs` },
    })
    for (const ending of ['.js', '.cjs', '.d.ts', '.d.cts']) expect(packed.files).toContain(`dist/${file}${ending}`)
  }
  expect(manifest.typesVersions['*']).toEqual(
    Object.fromEntries(
      Object.keys(entries)
        .filter((door) => door !== '.')
        .map((door) => [door.slice(2), [`./dist/${door.slice(2)}.d.ts`]]),
    ),
  )
  for (const [door, file] of Object.entries(manifest.exports))
    if (typeof file === 'string') expect(packed.files, door).toContain(file.slice(2))
  for (const file of Object.values(manifest.bin)) expect(packed.files).toContain(file.replace(/^\.\//, ''))
})

test('the tarball holds what is needed and nothing else', () => {
  const known =
    /^(dist\/.+\.(js|cjs|d\.ts|d\.cts|map)|dist\/(cli|ui)\/THIRD-PARTY-NOTICES\.txt|dist\/ui\/(index\.html|manifest\.json|icon\.svg(\.br|\.gz)?|assets\/[\w.-]+\.(js|css)(\.br|\.gz)?)|(docs|examples|deploy)\/.+|package\.json|config\.schema\.json|[A-Z]+\.md|LICENSE)$/
  expect(packed.files.filter((file) => !known.test(file))).toEqual([])
  expect(packed.files.filter((file) => /test\.|\bspec|fixture|node_modules/i.test(file))).toEqual([])
  for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE']) expect(packed.files).toContain(file)
  // half of it are source maps
  expect(packed.unpackedSize).toBeLessThan(9 * 1024 * 1024)
})

test('the documents of the tarball link to what is in it', async () => {
  const documents = packed.files.filter((file) => file.endsWith('.md'))
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'docs/hosts.md', 'docs/operations.md']))
  const broken: string[] = []
  for (const document of documents) {
    const text = (await readFile(join(PACKAGE, document), 'utf8')).replaceAll(/```.*?```/gs, '')
    for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const file = posix.join(posix.dirname(document), target).replace(/\/$/, '')
      if (!packed.files.some((each) => each === file || each.startsWith(`${file}/`)))
        broken.push(`${document}: ${target}`)
    }
  }
  expect(broken).toEqual([])
})

test('the command can be run as it is', async () => {
  for (const file of Object.values(manifest.bin))
    expect((await readFile(join(PACKAGE, file), 'utf8')).startsWith('#!/usr/bin/env node\n')).toBe(true)
})

test('every peer is optional: nobody installs a database for a backend that they do not use', () => {
  for (const peer of Object.keys(manifest.peerDependencies))
    expect(manifest.peerDependenciesMeta[peer]).toEqual({ optional: true })
})

test('the command carries its own libraries and their licences', async () => {
  const text = await readFile(join(PACKAGE, 'dist/cli/main.js'), 'utf8')
  const imported = [...text.matchAll(/^(?:import|\}|export)\b[^;'"]*?["']([^"'\n]+)["'];?$/gm)].map(
    ([, name = '']) => name,
  )
  expect(imported.length).toBeGreaterThan(20)
  expect(imported.filter((name) => !/^(node:|sif-library(\/|$)|zod$)/.test(name))).toEqual([])
  const notices = await readFile(join(PACKAGE, 'dist/cli/THIRD-PARTY-NOTICES.txt'), 'utf8')
  for (const name of ['commander', 'pino', 'yaml'])
    expect(notices).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\((MIT|ISC)\\)$`, 'm'))
  expect(notices.match(/Permission (is hereby granted|to use, copy)/g)?.length).toBeGreaterThan(3)
})

test('every package of tools/package.json is used', async () => {
  const { dependencies } = await readJson<{ dependencies: Readonly<Record<string, string>> }>('tools/package.json')
  const folders = ['src', 'test', 'bench', 'examples', 'scripts']
  const files = folders.flatMap((folder) =>
    readdirSync(join(PACKAGE, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|mts|mjs|cjs)$/.test(name))
      .map((name) => join(PACKAGE, folder, name)),
  )
  const texts = [...files, join(PACKAGE, 'knip.config.ts')].map((file) => readFileSync(file, 'utf8')).join('\n')
  // by their command
  const commands = ['@arethetypeswrong/cli', '@biomejs/biome', 'publint', 'typedoc']
  const isUsed = (name: string): boolean =>
    commands.includes(name) || name === '@types/node' || texts.includes(`'${name}'`) || texts.includes(`'${name}/`)
  const unused = Object.keys(dependencies).filter((name) => {
    const typed = name.replace(/^@types\//, '').replace(/^(\w+)__/, '@$1/')
    return !isUsed(name) && !(name.startsWith('@types/') && isUsed(typed))
  })
  expect(unused).toEqual([])
})

test('publint finds nothing', async () => {
  const { code, stdout, stderr } = await run('npx', { args: ['publint', '--strict', packed.tarball], cwd: PACKAGE })
  expect([code, code === 0 ? '' : stdout + stderr]).toEqual([0, ''])
})

test('attw: the types resolve from ESM, from CJS and for bundlers', async () => {
  const { code, stdout, stderr } = await run('npx', {
    args: ['attw', packed.tarball, '--profile', 'node16', '--no-color'],
    cwd: PACKAGE,
  })
  expect([code, code === 0 ? '' : stdout + stderr]).toEqual([0, ''])
})

test('knip finds no unused file, export or dependency', async () => {
  const { code, stdout, stderr } = await run('npx', { args: ['knip', '--no-progress'], cwd: PACKAGE })
  expect([code, code === 0 ? '' : stdout + stderr]).toEqual([0, ''])
})
