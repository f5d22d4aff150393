/** The snippets of docs/auth.md run, and its types compile against ours. */
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import type { Action, AuthHooks, Principal } from '../../src/core/index.js'
import * as sif from '../../src/core/index.js'
import { PACKAGE } from '../e2e/harness/paths.js'
import { type Asked, makeEntity, open, page, snippets } from './auth-page.js'

/** Runs a snippet; `given` are the names that it takes for granted. Resolves with what it declares. */
async function runSnippet<T>(code: string, given: object, declares: string): Promise<T> {
  const body = code.replaceAll(/import (\{[^}]*\}) from 'sif-library'/g, 'const $1 = sif')
  const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...values: unknown[]) => Promise<T>
  return new AsyncFunction('sif', ...Object.keys(given), `${body}\nreturn ${declares}`)(sif, ...Object.values(given))
}

test('every snippet is looked at here', () => {
  expect([snippets('js').length, snippets('ts').length]).toEqual([5, 3])
})

/** What TypeScript says of a file that is not there. */
function complaintsAbout(text: string): readonly string[] {
  const file = join(PACKAGE, 'test/examples/auth-doc-types.ts')
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(PACKAGE, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    PACKAGE,
  )
  const settings = {
    ...options,
    noEmit: true,
    isolatedDeclarations: false,
    declaration: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
  }
  const host = ts.createCompilerHost(settings)
  const { readFile, fileExists } = host
  host.readFile = (name) => (name === file ? text : readFile(name))
  host.fileExists = (name) => name === file || fileExists(name)
  const getSourceFile = host.getSourceFile.bind(host)
  host.getSourceFile = (name, version, ...rest) =>
    name === file ? ts.createSourceFile(name, text, version) : getSourceFile(name, version, ...rest)
  const program = ts.createProgram(
    [file],
    { ...settings, paths: { 'sif-library': [join(PACKAGE, 'src/core/index.ts')] } },
    host,
  )
  const source = program.getSourceFile(file)
  const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

test('the types are ours', () => {
  const [hooks, , resource] = snippets('ts')
  const text = `${hooks}
import type { Resource as Ours } from 'sif-library'
${resource}
type Writable<T> = { -readonly [Key in keyof T]: T[Key] }
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
export const same: Same<Writable<Ours>, Writable<Resource>> = true
`
  expect(complaintsAbout(text)).toEqual([])
})

test('a principal has what a host adds, and the request is that of its framework', () => {
  const [, added] = snippets('ts')
  const use = `${added}
import type { Principal } from 'sif-library'
export const department = (principal: Principal): string | undefined => principal.department
`
  expect(complaintsAbout(use)).toEqual([])
})

test('users that a middleware hung on the request', async () => {
  const library = open({ auth: await runSnippet<AuthHooks>(snippets('js')[0] ?? '', {}, 'auth') })
  const user = (login: string, role = 'user'): Asked => ({
    native: { user: { id: `id-${login}`, login, groups: ['genomics'], role } },
  })
  expect((await makeEntity(library, 'alice', user('alice'))).status).toBe(201)
  expect((await makeEntity(library, 'genomics', user('alice'))).status).toBe(201)
  expect((await makeEntity(library, 'bob', user('alice'))).status).toBe(403)
  expect((await makeEntity(library, 'bob', user('root', 'admin'))).status).toBe(201)
  expect((await makeEntity(library, 'carol', { native: {} })).status).toBe(401)
})

test('tokens that a function checks', async () => {
  const lookUp = async (token: string): Promise<object | undefined> =>
    token === 'good' ? { id: '1', login: 'alice', groups: [] } : undefined
  const library = open({ auth: await runSnippet<AuthHooks>(snippets('js')[1] ?? '', { lookUp }, 'auth') })
  expect((await makeEntity(library, 'alice', { token: 'good' })).status).toBe(201)
  expect(await makeEntity(library, 'alice', { token: 'bad' })).toMatchObject({
    status: 401,
    message: 'the token is not valid (any more)',
  })
  expect((await makeEntity(library, 'alice', {})).status).toBe(401)
})

test('the built-in accounts', async () => {
  const library = open()
  const token = await runSnippet<string>(snippets('js')[2] ?? '', { library }, 'token')
  expect(token).toHaveLength(Number(/Tokens are (\d+) characters long/.exec(page)?.[1]))
  expect((await makeEntity(library, 'genomics', { token })).status).toBe(201)
  const named = [...(/^`library\.accounts`: ([\s\S]*?)\. A token/m.exec(page)?.[1] ?? '').matchAll(/`(\w+)`/g)].map(
    ([, name]) => name,
  )
  expect(named.sort()).toEqual(Object.keys(library.accounts).sort())
})

test('members of an entity', async () => {
  const library = open()
  await library.accounts.addUser({ name: 'bob' })
  const { token } = await library.accounts.createToken({ user: 'bob' })
  await library.accounts.addUser({ name: 'genomics' })
  const { token: own } = await library.accounts.createToken({ user: 'genomics' })
  expect((await makeEntity(library, 'genomics', { token: own })).status).toBe(201)
  const [set = '', list = '', remove = ''] = (snippets('js')[3] ?? '').split('\n')
  await runSnippet(set, { library }, 'undefined')
  const members = await runSnippet<readonly object[]>(
    list.replace('await', 'const members = await'),
    { library },
    'members',
  )
  expect(members).toMatchObject([{ entity: 'genomics', kind: 'user', name: 'bob', role: 'reader' }])
  expect((await library.accounts.findToken(token))?.userName).toBe('bob')
  await runSnippet(remove, { library }, 'undefined')
  expect(await library.accounts.members.list('genomics')).toEqual([])
})

test('a bent policy', async () => {
  const authenticate = (): Principal => ({ id: '1', name: 'alice', groups: ['release'] })
  const auth = await runSnippet<Required<AuthHooks>>(snippets('js')[4] ?? '', { authenticate }, 'auth')
  const request = { method: 'DELETE', path: '/', query: '', headers: {}, body: { kind: 'none' } } as const
  const may = (action: Action, entity: string): boolean | Promise<boolean> =>
    auth.authorize({
      principal: authenticate(),
      action,
      resource: { kind: 'image', path: entity, entity, private: true, owner: null },
      request,
    })
  expect([
    await may('delete', 'release'),
    await may('push', 'release'),
    await may('delete', 'alice'),
    await may('delete', 'bob'),
  ]).toEqual([false, true, true, false])
})
