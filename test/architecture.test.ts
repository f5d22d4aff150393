/** The storeys of the house: imports point down only. Reads the syntax of src and examples, and fails with the place of each offence. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import packageJson from '../package.json' with { type: 'json' }

interface SourceText {
  /** Below the root, with `/`. */
  readonly path: string
  readonly text: string
}

interface Import {
  readonly from: string
  /** `src/…` for a file of ours, otherwise the name of a package. */
  readonly target: string
  /** Leaves nothing in the running code. */
  readonly typeOnly: boolean
  readonly line: number
}

const posix = (path: string): string => path.split(sep).join('/')

function lineOf(file: ts.SourceFile, node: ts.Node): number {
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1
}

const parsed = new WeakMap<SourceText, ts.SourceFile>()

function parse(source: SourceText): ts.SourceFile {
  const file = parsed.get(source) ?? ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ES2022, true)
  parsed.set(source, file)
  return file
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  node.forEachChild((child) => walk(child, visit))
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly
  const clause = node.importClause
  if (clause === undefined) return false
  if (clause.isTypeOnly) return true
  const names = clause.namedBindings
  return (
    clause.name === undefined &&
    names !== undefined &&
    ts.isNamedImports(names) &&
    names.elements.every((element) => element.isTypeOnly)
  )
}

/** The text of a constant of the file: a name that bundlers must not see is written so. */
function textOfConstant(file: ts.SourceFile, name: string): string | undefined {
  let text: string | undefined
  walk(file, (node) => {
    if (!ts.isVariableDeclaration(node) || node.name.getText(file) !== name) return
    if (node.initializer !== undefined && ts.isStringLiteralLike(node.initializer)) text = node.initializer.text
  })
  return text
}

/** Every import, export from, dynamic import, import type and require. */
function importsOf(source: SourceText): Import[] {
  const file = parse(source)
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined) return
    const named = ts.isIdentifier(specifier) ? textOfConstant(file, specifier.text) : undefined
    if (named !== undefined) {
      found.push({ from: source.path, target: named, typeOnly, line: lineOf(file, specifier) })
      return
    }
    if (!ts.isStringLiteralLike(specifier)) {
      found.push({ from: source.path, target: '(computed)', typeOnly, line: lineOf(file, specifier) })
      return
    }
    const { text } = specifier
    const target = text.startsWith('.')
      ? posix(normalize(join(dirname(source.path), text))).replace(/\.js$/, '.ts')
      : text
    found.push({ from: source.path, target, typeOnly, line: lineOf(file, specifier) })
  }
  walk(file, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier, isTypeOnly(node))
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    else if (ts.isCallExpression(node)) {
      const { expression } = node
      const loads =
        expression.kind === ts.SyntaxKind.ImportKeyword ||
        (ts.isIdentifier(expression) && /^require$/i.test(expression.text))
      if (loads) add(node.arguments[0], false)
    }
  })
  return found
}

type Rule = (source: SourceText) => string[]

const at = (source: SourceText, line: number, offence: string): string => `${source.path}:${line}: ${offence}`
const isNode = (target: string): boolean => target.startsWith('node:')
const isInside = (target: string, folder: string): boolean => target.startsWith(`${folder}/`)

/** A rule about what the files of a folder may import. */
function importRule(folder: string, isAllowed: (found: Import) => boolean, words: string): Rule {
  return (source) => {
    if (source.path !== folder && !isInside(source.path, folder)) return []
    return importsOf(source)
      .filter((found) => !isAllowed(found))
      .map((found) => at(source, found.line, `${words}, but imports ${found.target}`))
  }
}

/** Judges values that others made; below all storeys, so it knows nothing. */
const foreign = 'src/foreign.ts'

const foreignImports = importRule(foreign, ({ target }) => isNode(target), 'what is below all storeys knows Node alone')

const storageWords = /^src\/storage\/(blob|metadata)\/(contract|errors|index)\.ts$/
const blobPeers = [
  '@aws-sdk/client-s3',
  '@smithy/protocol-http',
  '@smithy/signature-v4',
  '@smithy/node-http-handler',
  '@smithy/types',
]
const metadataPeers = ['better-sqlite3', 'pg', 'node:sqlite']
const frameworks = ['express', 'connect', 'koa', 'fastify']

const coreImports = importRule(
  'src/core',
  ({ target }) =>
    isInside(target, 'src/core') ||
    target === foreign ||
    storageWords.test(target) ||
    isInside(target, 'src/sif') ||
    target === 'zod' ||
    (isNode(target) && target !== 'node:sqlite' && !/^node:https?$/.test(target)),
  'core knows itself, the contracts and errors of storage, the reader of SIF files, zod and Node without its HTTP',
)

/** Runs in browsers too. */
const sifImports = importRule(
  'src/sif',
  ({ target }) => isInside(target, 'src/sif'),
  'the reader of SIF files knows itself',
)

const blobImports = importRule(
  'src/storage/blob',
  ({ target }) =>
    isInside(target, 'src/storage/blob') || target === foreign || blobPeers.includes(target) || isNode(target),
  'a backend knows backends and its SDK',
)

const metadataImports = importRule(
  'src/storage/metadata',
  ({ target }) =>
    isInside(target, 'src/storage/metadata') || target === foreign || metadataPeers.includes(target) || isNode(target),
  'a store knows stores and its driver',
)

const adapterImports = importRule(
  'src/adapters',
  ({ target, typeOnly }) =>
    isInside(target, 'src/adapters') ||
    target === 'src/core/index.ts' ||
    isNode(target) ||
    (frameworks.includes(target) && typeOnly),
  'an adapter knows the public surface of core and types of its framework',
)

const extensionImports = importRule(
  'src/extensions',
  ({ target, from }) =>
    isInside(target, from.split('/').slice(0, 3).join('/')) ||
    target === 'src/core/extension.ts' ||
    target === 'src/core/control/schemas.ts' ||
    storageWords.test(target) ||
    target === 'zod' ||
    isNode(target),
  'an extension knows the contract of extensions, the schemas of the use cases, zod and Node',
)

const clientImports = importRule(
  'src/client',
  ({ target, typeOnly }) =>
    isInside(target, 'src/client') ||
    (typeOnly && ['src/core/control/control.ts', 'src/core/control/records.ts'].includes(target)),
  'the client runs anywhere: it knows the types of the use cases alone',
)

const uiPackages = ['preact', 'preact/hooks', '@preact/signals', 'wouter-preact', 'hash-wasm', 'd3-hierarchy']

const uiImports = importRule(
  'src/ui',
  ({ from, target, typeOnly }) =>
    from === 'src/ui/vite.config.ts' ||
    isInside(target, 'src/ui') ||
    (typeOnly && ['src/core/control/records.ts', 'src/sif/index.ts'].includes(target)) ||
    uiPackages.includes(target),
  'the page knows itself, the types of the records and of SIF files, and what the build bundles into it',
)

const testingImports = importRule(
  'src/testing',
  ({ target }) => isInside(target, 'src/testing') || storageWords.test(target) || isNode(target) || target === 'vitest',
  'a conformance suite knows contracts and errors',
)

const publicNames = Object.keys(packageJson.exports).map((entry) => packageJson.name + entry.slice(1))
/** The build bundles these into the command, so that nobody who mounts the registry installs them. */
const bundled = ['commander', 'pino', 'yaml']

const cliImports = importRule(
  'src/cli',
  ({ target }) =>
    isInside(target, 'src/cli') ||
    isNode(target) ||
    publicNames.includes(target) ||
    target === 'zod' ||
    bundled.includes(target),
  'the command line knows the package by its public entry points, zod, and what the build bundles into it',
)

const exampleImports: Rule = (source) => {
  if (!isInside(source.path, 'examples')) return []
  return importsOf(source)
    .filter(
      ({ target }) =>
        isInside(target, 'src') ||
        isInside(target, 'dist') ||
        (target.split('/')[0] === packageJson.name && !publicNames.includes(target)),
    )
    .map((found) =>
      at(source, found.line, `an example knows the package by its public entry points, but imports ${found.target}`),
    )
}

/**
 * The rooms of src/core, and which others each may import. Every room may also import these files of the spine:
 * options, settings, services, route, version and extension. A room that is not listed here is an offence.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  http: [],
  model: ['http'],
  auth: ['model', 'http'],
  hooks: ['auth', 'model', 'http'],
  blobs: ['model', 'http'],
  discovery: ['auth', 'blobs', 'model', 'http'],
  namespaces: ['auth', 'blobs', 'hooks', 'model', 'http'],
  images: ['auth', 'blobs', 'hooks', 'model', 'http'],
  uploads: ['images', 'auth', 'blobs', 'hooks', 'model', 'http'],
  transfers: ['uploads', 'images', 'auth', 'blobs', 'hooks', 'model', 'http'],
  sidecars: ['blobs', 'model', 'http'],
  upkeep: ['uploads', 'images', 'sidecars', 'blobs', 'hooks', 'model', 'http'],
  control: ['uploads', 'images', 'auth', 'blobs', 'hooks', 'model', 'http'],
  extensions: ['upkeep', 'control', 'blobs', 'hooks', 'auth', 'model', 'http'],
}
const openSpine = ['options', 'settings', 'services', 'route', 'version', 'extension'].map(
  (name) => `src/core/${name}.ts`,
)
const roomOf = (path: string): string | undefined => /^src\/core\/([^/]+)\//.exec(path)?.[1]

const roomImports: Rule = (source) => {
  const room = roomOf(source.path)
  if (room === undefined) return []
  const allowed = rooms[room]
  if (allowed === undefined) return [at(source, 1, `the room ${room} is not in the table of rooms`)]
  return importsOf(source)
    .filter(({ target }) => {
      if (!isInside(target, 'src/core')) return false
      const other = roomOf(target)
      return other === undefined ? !openSpine.includes(target) : other !== room && !allowed.includes(other)
    })
    .map((found) =>
      at(source, found.line, `the room ${room} knows ${allowed.join(', ') || 'no other'}, but imports ${found.target}`),
    )
}

/** Circles of files that import each other, types included; each as one line. */
function circlesOf(files: readonly SourceText[]): string[] {
  const targets = new Map(files.map((file) => [file.path, importsOf(file).map(({ target }) => target)]))
  const state = new Map<string, 'open' | 'done'>()
  const trail: string[] = []
  const found: string[] = []
  const visit = (path: string): void => {
    state.set(path, 'open')
    trail.push(path)
    for (const target of targets.get(path) ?? []) {
      if (!targets.has(target)) continue
      if (state.get(target) === undefined) visit(target)
      else if (state.get(target) === 'open') found.push([...trail.slice(trail.indexOf(target)), target].join(' -> '))
    }
    trail.pop()
    state.set(path, 'done')
  }
  for (const path of targets.keys()) if (state.get(path) === undefined) visit(path)
  return found
}

/** A rule about words in the code (names, texts and templates, not comments). */
function wordRule(applies: (path: string) => boolean, pattern: RegExp, words: string): Rule {
  return (source) => {
    if (!applies(source.path)) return []
    const file = parse(source)
    const found: string[] = []
    walk(file, (node) => {
      const isText = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)
      if (!(isText || ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) || !pattern.test(node.text)) return
      // what is imported is not a word of the file
      if (ts.isImportDeclaration(node.parent) || ts.isExportDeclaration(node.parent)) return
      found.push(at(source, lineOf(file, node), `${words}: ${node.text}`))
    })
    return found
  }
}

const adapterNouns = wordRule(
  (path) => isInside(path, 'src/adapters'),
  /image|tag(?!e[dr])|upload/i,
  'an adapter mentions a noun of the registry',
)

/** Statuses as numbers of their own, and words of HTTP. S3 speaks HTTP: its errors and its connection know the store's statuses, and nothing of ours. */
const s3Speaks = /^src\/storage\/blob\/s3\//
const isAnswer = (parent: ts.Node): boolean =>
  ts.isPropertyAssignment(parent) ||
  ts.isBinaryExpression(parent) ||
  ts.isCallExpression(parent) ||
  ts.isReturnStatement(parent) ||
  ts.isCaseClause(parent)

const statusNumbers: Rule = (source) => {
  if (!isInside(source.path, 'src/storage') || s3Speaks.test(source.path)) return []
  const file = parse(source)
  const found: string[] = []
  walk(file, (node) => {
    // a number may be anything; as a code, or compared, it is a status
    const isStatus =
      ts.isNumericLiteral(node) &&
      isAnswer(node.parent) &&
      /^(20[0146]|30[1-478]|40[0-9]|41[0-6]|42[29]|50[0-7])$/.test(node.text)
    const isWord =
      (ts.isIdentifier(node) || ts.isStringLiteralLike(node)) &&
      /^(status|statusCode|httpStatus|content-type|authorization)$/i.test(node.text)
    if (isStatus || isWord) found.push(at(source, lineOf(file, node), `storage knows no HTTP: ${node.getText(file)}`))
  })
  return found
}

const surroundings: Rule = (source) => {
  if (!isInside(source.path, 'src') || isInside(source.path, 'src/cli')) return []
  const file = parse(source)
  const found: string[] = []
  walk(file, (node) => {
    if (ts.isPropertyAccessExpression(node) && node.name.text === 'env' && node.expression.getText(file) === 'process')
      found.push(at(source, lineOf(file, node), 'process.env belongs to the command line'))
    if (ts.isElementAccessExpression(node) && node.expression.getText(file) === 'process')
      found.push(at(source, lineOf(file, node), 'process.env belongs to the command line'))
    if (
      ts.isIdentifier(node) &&
      node.text === 'console' &&
      ts.isPropertyAccessExpression(node.parent) &&
      node.parent.expression === node
    )
      found.push(at(source, lineOf(file, node), 'console belongs to the command line'))
    if (
      ts.isVariableDeclaration(node) &&
      node.initializer?.getText(file) === 'process' &&
      ts.isObjectBindingPattern(node.name)
    )
      found.push(at(source, lineOf(file, node), 'process.env belongs to the command line'))
  })
  return found
}

const ownErrors: Readonly<Record<string, string>> = {
  LibraryError: 'src/core/http/errors.ts',
  StorageError: 'src/storage/blob/errors.ts',
  MetadataError: 'src/storage/metadata/errors.ts',
}

const brands: Rule = (source) => {
  if (!isInside(source.path, 'src')) return []
  const file = parse(source)
  const found: string[] = []
  walk(file, (node) => {
    if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.InstanceOfKeyword) return
    const name = node.right.getText(file)
    const home = ownErrors[name.split('.').at(-1) ?? '']
    if (home !== undefined && home !== source.path)
      found.push(
        at(source, lineOf(file, node), `instanceof ${name}: each CJS entry point carries its own copy, use its guard`),
      )
  })
  return found
}

/** What Node itself makes comes from another realm under Jest and in `node:vm`. */
const realms: Rule = (source) => {
  if (!isInside(source.path, 'src') || isInside(source.path, 'src/cli')) return []
  const file = parse(source)
  const found: string[] = []
  walk(file, (node) => {
    if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.InstanceOfKeyword) return
    const name = node.right.getText(file)
    if (typeof Reflect.get(globalThis, name) === 'function')
      found.push(
        at(source, lineOf(file, node), `instanceof ${name}: false for what another realm made, judge by fields`),
      )
  })
  return found
}

const rules = {
  foreignImports,
  coreImports,
  sifImports,
  roomImports,
  blobImports,
  metadataImports,
  adapterImports,
  extensionImports,
  clientImports,
  uiImports,
  testingImports,
  cliImports,
  exampleImports,
  adapterNouns,
  statusNumbers,
  surroundings,
  brands,
  realms,
} satisfies Record<string, Rule>

function filesOf(folder: string): SourceText[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) =>
        entry.isFile() && /\.(ts|mts|js|mjs|cjs)$/.test(entry.name) && !entry.parentPath.includes('node_modules'),
    )
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: posix(relative('.', path)), text: readFileSync(path, 'utf8') }))
}

const sources = [...filesOf('src'), ...filesOf('examples')]

describe('the house', () => {
  it('is read at all', () => {
    expect(sources.filter(({ path }) => isInside(path, 'src/core')).length).toBeGreaterThan(30)
    expect(sources.flatMap(importsOf).length).toBeGreaterThan(200)
  })

  it.each(Object.entries(rules))('%s', (_, rule) => {
    expect(sources.flatMap(rule)).toEqual([])
  })

  it('has no circle of files', () => {
    expect(circlesOf(sources)).toEqual([])
  })

  it('has a room for each line of the table', () => {
    const found = new Set(sources.flatMap(({ path }) => roomOf(path) ?? []))
    expect(Object.keys(rooms).filter((room) => !found.has(room))).toEqual([])
  })

  it('is what docs/architecture.md shows', () => {
    const text = readFileSync('docs/architecture.md', 'utf8')
    const rows = [...text.matchAll(/^\| `([a-z]+)` \|(.*)\|$/gm)].map(([, room = '', others = '']) => [
      room,
      [...others.matchAll(/`([a-z]+)`/g)].map(([, other]) => other),
    ])
    expect(Object.fromEntries(rows)).toEqual(rooms)
    const tree = [...text.matchAll(/^ {4}([a-z-]+(?:\/|\.ts))/gm)].map(([, name = '']) => name)
    const inCore = tree.slice(0, tree.indexOf('blob/'))
    // limits.ts and settings.ts stand in the line of options.ts, and version.ts is made by the build
    const others = ['limits.ts', 'settings.ts', 'version.ts']
    expect([...inCore, ...others].sort()).toEqual(
      readdirSync('src/core', { withFileTypes: true })
        .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
        .sort(),
    )
  })

  it('has no storey that no rule looks at', () => {
    const folders = new Set(
      filesOf('src').map(({ path }) =>
        path
          .split('/')
          .slice(0, path.startsWith('src/storage') ? 3 : 2)
          .join('/'),
      ),
    )
    expect([...folders].sort()).toEqual([
      'src/adapters',
      'src/cli',
      'src/client',
      'src/core',
      'src/extensions',
      'src/foreign.ts',
      'src/sif',
      'src/storage/blob',
      'src/storage/metadata',
      'src/testing',
      'src/ui',
    ])
  })
})

/** Each rule sees its offence, at its line, and leaves the same code alone where it is allowed. */
const samples: readonly (readonly [keyof typeof rules, path: string, text: string, line: number | undefined])[] = [
  ['foreignImports', 'src/foreign.ts', "import { LibraryError } from './core/http/errors.js'", 1],
  ['realms', 'src/core/x.ts', 'if (error instanceof Error) return', 1],
  ['realms', 'src/adapters/x.ts', 'return body instanceof Uint8Array', 1],
  ['realms', 'src/core/http/x.ts', 'return error instanceof HookRefused', undefined],
  [
    'coreImports',
    'src/core/x.ts',
    "import { a } from './a.js'\nimport { serveNode } from '../adapters/node-http.js'",
    2,
  ],
  ['coreImports', 'src/core/images/x.ts', "import { memoryStorage } from '../../storage/blob/memory.js'", 1],
  ['coreImports', 'src/core/x.ts', "import type { SqliteDriver } from '../storage/metadata/sqlite-driver.js'", 1],
  ['coreImports', 'src/core/x.ts', "import express from 'express'", 1],
  ['coreImports', 'src/core/x.ts', "import type { IncomingMessage } from 'node:http'", 1],
  ['coreImports', 'src/core/x.ts', "export { S3Client } from '@aws-sdk/client-s3'", 1],
  ['coreImports', 'src/core/x.ts', "\nconst pg = await import('pg')", 2],
  ['coreImports', 'src/core/x.ts', "const pg = require('pg')", 1],
  ['coreImports', 'src/core/x.ts', "type Pool = import('pg').Pool", 1],
  ['coreImports', 'src/core/x.ts', 'const m = await import(name)', 1],
  ['coreImports', 'src/core/x.ts', "const name = 'pg'\nconst m = await import(name)", 2],
  [
    'coreImports',
    'src/core/images/x.ts',
    "import { isStorageError } from '../../storage/blob/errors.js'\nimport { z } from 'zod'\nimport { createHash } from 'node:crypto'",
    undefined,
  ],
  ['sifImports', 'src/sif/x.ts', "import { createHash } from 'node:crypto'", 1],
  ['sifImports', 'src/sif/x.ts', "import { inspectSif } from './inspect.js'", undefined],
  ['roomImports', 'src/core/http/x.ts', "import type { Principal } from '../auth/policy.js'", 1],
  [
    'roomImports',
    'src/core/blobs/x.ts',
    "import { x } from './y.js'\nimport { readSidecar } from '../sidecars/document.js'",
    2,
  ],
  ['roomImports', 'src/core/images/x.ts', "import { routes } from '../routes.js'", 1],
  ['roomImports', 'src/core/elsewhere/x.ts', 'const a = 1', 1],
  [
    'roomImports',
    'src/core/upkeep/x.ts',
    "import type { Services } from '../services.js'\nimport { dropBlob } from '../blobs/why-kept.js'",
    undefined,
  ],
  ['blobImports', 'src/storage/blob/x.ts', "import type { MetadataStore } from '../metadata/contract.js'", 1],
  ['blobImports', 'src/storage/blob/x.ts', "import { LibraryError } from '../../core/errors.js'", 1],
  ['blobImports', 'src/storage/blob/x.ts', "import pg from 'pg'", 1],
  ['blobImports', 'src/storage/blob/s3/index.ts', "import { S3 } from '@aws-sdk/client-s3'", undefined],
  ['metadataImports', 'src/storage/metadata/x.ts', "import type { StorageBackend } from '../blob/contract.js'", 1],
  ['metadataImports', 'src/storage/metadata/x.ts', "import pg from 'pg'", undefined],
  ['adapterImports', 'src/adapters/x.ts', "import { LibraryError } from '../core/errors.js'", 1],
  ['adapterImports', 'src/adapters/x.ts', "import fastify from 'fastify'", 1],
  [
    'adapterImports',
    'src/adapters/x.ts',
    "import type { FastifyInstance } from 'fastify'\nimport { isLibraryError } from '../core/index.js'",
    undefined,
  ],
  ['testingImports', 'src/testing/x.ts', "import { memoryStorage } from '../storage/blob/memory.js'", 1],
  ['cliImports', 'src/cli/commands/x.ts', "import { createLibrary } from '../../core/index.js'", 1],
  ['cliImports', 'src/cli/x.ts', "import { createLibrary } from 'sif-library/core'", 1],
  ['cliImports', 'src/cli/x.ts', "import { parse } from 'yaml'\nimport connect from 'connect'", 2],
  [
    'cliImports',
    'src/cli/x.ts',
    "import { createLibrary } from 'sif-library'\nimport { libraryMiddleware } from 'sif-library/express'",
    undefined,
  ],
  ['exampleImports', 'examples/express/app.mjs', "import { createLibrary } from '../../src/core/index.js'", 1],
  ['exampleImports', 'examples/express/app.mjs', "import { createLibrary } from '../../dist/index.js'", 1],
  [
    'exampleImports',
    'examples/express/app.mjs',
    "import { createLibrary } from 'sif-library'\nimport express from 'express'",
    undefined,
  ],
  ['adapterNouns', 'src/adapters/x.ts', "// an image\nif (path.includes('/v1/imagefile')) return", 2],
  ['adapterNouns', 'src/adapters/x.ts', 'const isUpload = true', 1],
  ['adapterNouns', 'src/adapters/x.ts', "const text = 'some ' + `tags`", 1],
  ['adapterNouns', 'src/adapters/x.ts', '// images, tags and uploads\nconst staged = 1', undefined],
  ['statusNumbers', 'src/storage/blob/x.ts', 'return { code: 404 }', 1],
  ['statusNumbers', 'src/storage/metadata/x.ts', 'error.statusCode = x', 1],
  ['statusNumbers', 'src/storage/blob/x.ts', 'const blockSize = 4096\nconst maxTags = 500', undefined],
  ['extensionImports', 'src/extensions/x/y.ts', "import { x } from '../../core/library.js'", 1],
  ['extensionImports', 'src/extensions/x/y.ts', "import { x } from '../z/y.js'", 1],
  ['extensionImports', 'src/extensions/x/y.ts', "import { x } from '../../core/extension.js'", undefined],
  ['clientImports', 'src/client/x.ts', "import { x } from '../core/control/records.js'", 1],
  ['clientImports', 'src/client/x.ts', "import { createHash } from 'node:crypto'", 1],
  ['clientImports', 'src/client/x.ts', "import type { X } from '../core/control/records.js'", undefined],
  ['uiImports', 'src/ui/x.ts', "import { x } from '../core/control/records.js'", 1],
  ['uiImports', 'src/ui/x.ts', "import { x } from '../sif/index.js'", 1],
  ['uiImports', 'src/ui/x.ts', "import type { X } from '../sif/index.js'", undefined],
  ['uiImports', 'src/ui/x.ts', "import { readFile } from 'node:fs/promises'", 1],
  ['uiImports', 'src/ui/x.ts', "import { signal } from '@preact/signals'", undefined],
  ['surroundings', 'src/core/x.ts', 'const a = 1\nconst secret = process.env.SECRET', 2],
  ['surroundings', 'src/storage/blob/x.ts', 'const { env } = process', 1],
  ['surroundings', 'src/storage/blob/x.ts', "process['env']", 1],
  ['surroundings', 'src/adapters/x.ts', "console.log('x')", 1],
  ['surroundings', 'src/cli/x.ts', 'console.log(process.env.X)', undefined],
  ['brands', 'src/core/x.ts', 'if (error instanceof LibraryError) return', 1],
  ['brands', 'src/storage/blob/x.ts', 'x = error instanceof errors.StorageError', 1],
  ['brands', 'src/core/http/errors.ts', 'return error instanceof LibraryError', undefined],
  ['brands', 'src/core/x.ts', 'return error instanceof Error', undefined],
]

describe('circles', () => {
  it('are found with their files, types included', () => {
    const files = [
      { path: 'src/a.ts', text: "import { b } from './b.js'" },
      { path: 'src/b.ts', text: "import type { C } from './c.js'" },
      { path: 'src/c.ts', text: "import type { A } from './a.js'" },
      { path: 'src/d.ts', text: "import './a.js'" },
    ]
    expect(circlesOf(files)).toEqual(['src/a.ts -> src/b.ts -> src/c.ts -> src/a.ts'])
  })
})

it('installs zod and nothing else where the package is installed', () => {
  expect(Object.keys(packageJson.dependencies)).toEqual(['zod'])
})

describe('each rule', () => {
  it.each(samples)('%s in %s: %j', (name, path, text, line) => {
    const found = rules[name]({ path, text })
    if (line === undefined) expect(found).toEqual([])
    else {
      expect(found.length).toBeGreaterThan(0)
      expect(found[0]).toMatch(new RegExp(`^${path.replaceAll('.', '\\.')}:${line}: `))
    }
  })

  it('has a sample that offends', () => {
    for (const name of Object.keys(rules))
      expect(samples.some(([rule, , , line]) => rule === name && line !== undefined)).toBe(true)
  })
})
