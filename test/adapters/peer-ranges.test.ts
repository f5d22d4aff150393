/** The peer ranges of package.json promise what the tests run, and nothing else. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import tools from '../../tools/package.json' with { type: 'json' }
import sqliteTools from '../../tools/sqlite/package.json' with { type: 'json' }

const peers: Readonly<Record<string, string>> = manifest.peerDependencies
/** The checkout's own, and those that only tests need. */
const devDependencies: Readonly<Record<string, string>> = {
  ...manifest.devDependencies,
  ...tools.dependencies,
  ...sqliteTools.dependencies,
}
/** Libraries of the command, which the build puts inside of it. */
const bundled = ['commander', 'pino', 'yaml']

/** Exact versions of a package that the tests have, also under another name (`npm:NAME@VERSION`). */
function versionsOf(name: string): string[] {
  return Object.entries(devDependencies).flatMap(([alias, wanted]) => {
    if (alias === name) return [wanted]
    return wanted.startsWith(`npm:${name}@`) ? [wanted.slice(`npm:${name}@`.length)] : []
  })
}

const numbers = (version: string): number[] => version.split('.').map(Number)

/** Whether `^lowest` allows a version, for versions from 1.0.0 on. */
function allows(lowest: string, version: string): boolean {
  const [low, seen] = [numbers(lowest), numbers(version)]
  if (low[0] !== seen[0]) return false
  const at = low.findIndex((part, index) => part !== seen[index])
  return at < 0 || (seen[at] ?? 0) > (low[at] ?? 0)
}

function lowestOf(range: string): string[] {
  return range.split(' || ').map((part) => {
    expect(part).toMatch(/^\^[1-9]\d*\.\d+\.\d+$/)
    return part.slice(1)
  })
}

test.each(Object.entries(peers))('%s %s: every major is tested, and nothing tested is left out', (name, range) => {
  const lowest = lowestOf(range)
  const versions = versionsOf(name)
  for (const low of lowest) expect([low, versions.some((version) => allows(low, version))]).toEqual([low, true])
  for (const version of versions) expect([version, lowest.some((low) => allows(low, version))]).toEqual([version, true])
})

test.each(Object.entries(peers))('%s %s: also the first version of each range is tested', (name, range) => {
  for (const low of lowestOf(range)) expect(versionsOf(name)).toContain(low)
})

test('docs/hosts.md names the majors of Express, connect, Koa and Fastify that are tested', () => {
  const page = readFileSync('docs/hosts.md', 'utf8')
  const majorsOf = (name: string): string[] =>
    [...new Set([...versionsOf(name), ...dependencyOf(name)].map((version) => version.split('.')[0] ?? ''))].sort()
  const dependencyOf = (name: string): string[] =>
    Object.entries(manifest.dependencies as Readonly<Record<string, string>>).flatMap(([key, version]) =>
      key === name ? [version] : [],
    )
  for (const [title, name] of [
    ['Express', 'express'],
    ['connect', 'connect'],
    ['Koa', 'koa'],
    ['Fastify', 'fastify'],
  ] as const)
    expect(page).toContain(`| ${title} ${majorsOf(name).join(', ')} |`)
})

test('what the code imports when it runs is a dependency or a peer, and every peer is imported', () => {
  // the page brings its packages along, built in
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('ui/'),
  )
  const text = files.map((file) => readFileSync(join('src', file), 'utf8')).join('\n')
  const namesIn = (pattern: RegExp): Set<string> => new Set([...text.matchAll(pattern)].map(([, name = '']) => name))
  const all = namesIn(/(?:from|import\()\s*'((?:@[\w-]+\/)?[\w-]+)/g)
  const running = namesIn(/^(?:import(?! type)[^\n]*from|.*\bimport\()\s*'((?:@[\w-]+\/)?[\w-]+)(?=['/])/gm)
  const known = new Set([
    manifest.name,
    'node',
    ...bundled,
    ...Object.keys(manifest.dependencies),
    ...Object.keys(peers),
  ])
  expect([...running].filter((name) => !known.has(name))).toEqual([])
  expect(Object.keys(peers).filter((name) => !all.has(name))).toEqual([])
})
