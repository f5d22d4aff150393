/** The commands for users, tokens and remotes, in this process. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { run } from '../../src/cli/program.js'
import { createAccounts } from '../../src/core/index.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'

let home: string
let data: string
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'sif-library-commands-'))
  data = join(home, 'data')
  mkdirSync(data)
  const metadata = sqliteMetadata({ file: join(data, 'registry.db') })
  const accounts = createAccounts({ metadata })
  await accounts.addUser({ name: 'admin', admin: true })
  await accounts.addUser({ name: 'alice', groups: ['lab'] })
  await metadata.close()
  writeFileSync(join(data, 'server.json'), JSON.stringify({ url: 'http://127.0.0.1:8080', publicUrl: null }))
})
afterEach(() => rmSync(home, { recursive: true }))

interface Ended {
  readonly code: number
  readonly out: string
  readonly notes: string
}

async function call(...words: readonly string[]): Promise<Ended> {
  const out: string[] = []
  const notes: string[] = []
  const code = await run([...words, '--data', data], {
    out: (line) => out.push(line),
    note: (line) => notes.push(line),
    progress: () => {},
    environment: {},
    home,
  })
  return { code, out: out.join('\n'), notes: notes.join('\n') }
}

const json = async (...words: readonly string[]) => JSON.parse((await call(...words, '--json')).out)
const tokensOf = async (user: string): Promise<readonly { readonly id: string; readonly label: string }[]> =>
  json('token', 'list', '--user', user)

describe('user set and user show', () => {
  it('change only what is said', async () => {
    expect(await call('user', 'set', 'alice', '--admin')).toEqual({
      code: 0,
      out: 'alice: admin, groups lab',
      notes: '',
    })
    expect(await json('user', 'set', 'alice', '--group', 'hpc,tools', '--group', 'lab')).toMatchObject({
      name: 'alice',
      admin: true,
      groups: ['lab', 'hpc', 'tools'],
    })
    expect(
      (await call('user', 'set', 'alice', '--no-admin', '--remove-group', 'lab', '--remove-group', 'none')).notes,
    ).toBe('alice was not in the group none')
    expect(await json('user', 'show', 'alice')).toMatchObject({ admin: false, groups: ['hpc', 'tools'], tokens: [] })
    expect((await call('user', 'set', 'admin', '--no-admin')).notes).toBe('no user is an admin now')
  })

  it('shows a user with their tokens, and never a token', async () => {
    const token = (await call('token', 'create', 'alice', '--label', 'laptop', '--scope', 'pull')).out
    const { out } = await call('user', 'show', 'alice')
    expect(out).toMatch(
      /^name {7}alice\nadmin {6}no\ngroups {5}lab\npushes to {2}alice,lab\ncreated .*\nid .*\ntokens {5}1\n\nID +USER +LABEL .*\n.* alice +laptop +pull /,
    )
    expect(out).not.toContain(token)
  })

  it.each([
    [['user', 'set', 'alice'], 2, 'nothing to change'],
    [['user', 'set', 'alice', '--group', 'a', '--remove-group', 'a'], 2, 'both name a'],
    [['user', 'set', 'alice', '--group', 'No Group'], 2, 'is no valid name'],
    [['user', 'set', 'nobody', '--admin'], 1, 'no such user: nobody'],
    [['user', 'show', 'nobody'], 1, 'no such user: nobody'],
  ])('%j ends with %i', async (words, code, message) => {
    const ended = await call(...words)
    expect([ended.code, ended.out]).toEqual([code, ''])
    expect(ended.notes).toContain(message)
  })
})

describe('token create and token revoke', () => {
  it('take the name as user add does, or as --user', async () => {
    expect((await call('token', 'create', 'alice')).out).toMatch(/^\S{200,}$/)
    expect((await call('token', 'create', '--user', 'alice')).out).toMatch(/^\S{200,}$/)
    expect((await call('token', 'create', 'alice', '--user', 'alice')).code).toBe(0)
    expect(await json('token', 'create', 'alice', '--label', 'ci')).toEqual(
      expect.objectContaining({ token: expect.stringMatching(/^\S{200,}$/), userName: 'alice', label: 'ci' }),
    )
    expect(await call('token', 'create', 'alice', '--user', 'admin')).toMatchObject({ code: 2, out: '' })
    expect(await call('token', 'create')).toMatchObject({ code: 2, out: '' })
    expect(await tokensOf('alice')).toHaveLength(4)
  })

  it('--user NAME --all ends those of one user, and only with both words', async () => {
    for (const user of ['alice', 'alice', 'admin']) await call('token', 'create', user, '--label', 'l')
    for (const words of [['--all'], ['--user', 'alice'], [], ['0123', '--all']])
      expect(await call('token', 'revoke', ...words)).toMatchObject({ code: 2, out: '' })
    expect(await call('token', 'revoke', '--user', 'nobody', '--all')).toMatchObject({ code: 1, out: '' })
    const ids = (await tokensOf('alice')).map(({ id }) => id)
    expect(await call('token', 'revoke', '--user', 'alice', '--all')).toEqual({
      code: 0,
      out: ids.map((id) => `revoked ${id} (l)`).join('\n'),
      notes: '',
    })
    expect([await tokensOf('alice'), (await tokensOf('admin')).length]).toEqual([[], 1])
    expect(await call('token', 'revoke', '--user', 'alice', '--all')).toEqual({
      code: 0,
      out: '',
      notes: 'alice has no token',
    })
    const [last] = await tokensOf('admin')
    expect(await json('token', 'revoke', last?.id ?? '')).toEqual({ revoked: [last?.id] })
  })
})

describe('DATA/commands.log', () => {
  const lines = (): readonly Record<string, unknown>[] =>
    readFileSync(join(data, 'commands.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))

  it('has who changed what, and never a token', async () => {
    await call('user', 'add', 'bob', '--group', 'lab')
    const token = (await call('token', 'create', 'bob', '--label', 'two\nlines')).out
    const id = (await tokensOf('bob'))[0]?.id
    await call('token', 'revoke', id ?? '')
    await call('user', 'set', 'bob', '--admin')
    await call('user', 'remove', 'bob')
    const metadata = sqliteMetadata({ file: join(data, 'registry.db') })
    const owner = { description: '', owner: null, now: 1 }
    await metadata.entities.createIfAbsent({ ...owner, id: 'a'.repeat(24), name: 'alice', defaultPrivate: false })
    await metadata.close()
    expect(await call('visibility', 'alice', 'private')).toMatchObject({ code: 0, out: 'alice private' })
    await call('visibility', 'alice')
    await call('user', 'remove', 'nobody')

    const by = { level: 30, time: expect.stringMatching(/^\d{4}-.*Z$/), operator: userInfo().username }
    expect(lines()).toEqual([
      expect.objectContaining({ ...by, msg: 'user.added', user: 'bob', admin: false, groups: ['lab'] }),
      expect.objectContaining({ ...by, msg: 'token.created', user: 'bob', label: 'two\nlines', tokenId: id }),
      expect.objectContaining({ ...by, msg: 'token.revoked', user: 'bob', tokenId: id }),
      expect.objectContaining({ ...by, msg: 'user.changed', user: 'bob', admin: true }),
      expect.objectContaining({ ...by, msg: 'user.removed', user: 'bob' }),
      expect.objectContaining({ ...by, msg: 'visibility.changed', path: 'alice', kind: 'entity', private: true }),
    ])
    expect(readFileSync(join(data, 'commands.log'), 'utf8')).not.toContain(token)
    expect(statSync(join(data, 'commands.log')).mode & 0o777).toBe(0o600)
  })
})

describe('remote', () => {
  const file = (client: string): string => join(home, `.${client}`, 'remote.yaml')
  const tokenIn = (client: string): string => parse(readFileSync(file(client), 'utf8')).Remotes['sif-library'].Token

  it('without --write makes no token unless asked, and then takes the place of its own', async () => {
    const { code, out, notes } = await call('remote')
    expect(code).toBe(0)
    expect(parse(out).Remotes['sif-library']).toEqual({
      URI: 'http://127.0.0.1:8080',
      System: false,
      Exclusive: false,
      Insecure: true,
    })
    expect(notes).toContain('without a token: --with-token --user NAME makes one')
    expect(await json('remote')).not.toHaveProperty('token')
    expect(await call('remote', '--with-token')).toMatchObject({ code: 2, out: '' })
    await call('remote', '--user', 'alice')
    expect(await tokensOf('alice')).toEqual([])

    const first = await json('remote', '--user', 'alice', '--with-token')
    await call('token', 'create', 'alice', '--label', 'laptop')
    await json('remote', '--user', 'alice', '--with-token', '--label', 'bob’s node')
    const [before] = (await tokensOf('alice')).filter(({ label }) => label === 'remote sif-library: printed')
    const second = await call('remote', '--user', 'alice', '--with-token')
    expect(second.notes).toContain(`in the place of ${before?.id}, revoked now`)
    expect(parse(second.out).Remotes['sif-library'].Token).not.toBe(first.token)
    expect((await tokensOf('alice')).map(({ label }) => label).sort()).toEqual([
      'laptop',
      'remote sif-library: bob’s node',
      'remote sif-library: printed',
    ])
  })

  it('--write keeps the token that is there while it is good, and replaces only its own', async () => {
    await call('remote', '--user', 'alice', '--with-token')
    const first = await call('remote', '--user', 'alice', '--write')
    expect(first.notes).toContain('made the token')
    const token = tokenIn('singularity')
    expect(tokenIn('apptainer')).toBe(token)
    const again = await call('remote', '--user', 'alice', '--write')
    expect(again.notes).toContain('kept the token that was there')
    expect([tokenIn('singularity'), (await tokensOf('alice')).length]).toEqual([token, 2])

    // another user, another time of expiry, a token that was revoked: a fresh one
    await call('remote', '--user', 'admin', '--write')
    expect(tokenIn('singularity')).not.toBe(token)
    await call('remote', '--user', 'alice', '--write', '--expires', '30d')
    expect(await tokensOf('alice')).toHaveLength(2)
    await call('token', 'revoke', '--user', 'alice', '--all')
    const revoked = tokenIn('singularity')
    await call('remote', '--user', 'alice', '--write')
    expect(tokenIn('singularity')).not.toBe(revoked)
    expect(await tokensOf('alice')).toHaveLength(1)
    expect(await call('remote', '--write')).toMatchObject({ code: 2, out: '' })
  })
})

describe('sign-in', () => {
  it('prints a link for the user, good once, and notes it', async () => {
    const { code, out, notes } = await call('sign-in', '--user', 'alice')
    expect([code, out]).toEqual([0, expect.stringMatching(/^http:\/\/127\.0\.0\.1:8080\/ui\/sign-in#[\w-]{32}$/)])
    expect(notes).toContain('signs alice in once')
    const made = await json('sign-in', '--user', 'alice', '--url', 'https://reg.example/library/')
    expect(made).toEqual({
      url: expect.stringMatching(/^https:\/\/reg\.example\/library\/ui\/sign-in#[\w-]{32}$/),
      user: 'alice',
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    })
    const metadata = sqliteMetadata({ file: join(data, 'registry.db') })
    const accounts = createAccounts({ metadata })
    const signIn = accounts.createSession({ code: out.split('#')[1] ?? '' })
    expect((await signIn).info).toMatchObject({ userName: 'alice', kind: 'session', label: 'sign-in link' })
    await metadata.close()
    const log = readFileSync(join(data, 'commands.log'), 'utf8')
    expect(log).toContain('"label":"sign-in link"')
    expect(log).not.toContain(out.split('#')[1])
  })

  it('wants a user whom there is', async () => {
    expect(await call('sign-in')).toMatchObject({ code: 2, notes: expect.stringContaining('--user') })
    expect(await call('sign-in', '--user', 'nobody')).toMatchObject({
      code: 1,
      notes: expect.stringContaining('no such user'),
    })
  })
})

describe('member', () => {
  beforeEach(async () => {
    const metadata = sqliteMetadata({ file: join(data, 'registry.db') })
    await metadata.entities.createIfAbsent({
      ...{ id: 'e'.repeat(24), name: 'genomics', description: '', defaultPrivate: true, owner: null, now: 1 },
    })
    await metadata.close()
  })

  it('adds, changes, lists and removes users and groups', async () => {
    expect(await call('member', 'list', 'genomics')).toMatchObject({ code: 0, notes: 'genomics has no members' })
    expect(await call('member', 'add', 'genomics', 'alice', '--role', 'reader')).toEqual({
      ...{ code: 0, out: 'alice is reader in genomics', notes: '' },
    })
    expect((await call('member', 'add', 'genomics', 'user:alice', '--role', 'writer')).code).toBe(0)
    expect((await call('member', 'add', 'genomics', 'group:lab', '--role', 'maintainer')).notes).toBe('')
    expect((await call('member', 'add', 'genomics', 'group:labs', '--role', 'reader')).notes).toContain('no user is in')
    expect(await json('member', 'list', 'genomics')).toMatchObject([
      { kind: 'group', name: 'lab', role: 'maintainer' },
      { kind: 'group', name: 'labs', role: 'reader' },
      { kind: 'user', name: 'alice', role: 'writer' },
    ])
    expect((await call('member', 'list', 'genomics')).out).toMatch(/group:lab\s+maintainer/)
    expect(await json('member', 'remove', 'genomics', 'group:lab')).toEqual({
      removed: 'group:lab',
      entity: 'genomics',
    })
    expect(await call('member', 'remove', 'genomics', 'group:lab')).toMatchObject({ code: 1 })
    const log = readFileSync(join(data, 'commands.log'), 'utf8')
    expect(log).toContain('"entity":"genomics","kind":"group","name":"lab","role":null,"msg":"member.changed"')
  })

  it('says what is missing', async () => {
    for (const [words, code, text] of [
      [['add', 'genomics', 'alice'], 2, '--role is missing'],
      [['add', 'genomics', 'alice', '--role', 'owner'], 2, 'reader'],
      [['add', 'genomics', 'nobody', '--role', 'reader'], 1, 'no such user: nobody'],
      [['add', 'nothing', 'alice', '--role', 'reader'], 1, 'no such entity: nothing'],
      [['list', 'nothing'], 1, 'no such entity: nothing'],
    ] as const)
      expect(await call('member', ...words)).toMatchObject({ code, notes: expect.stringContaining(text) })
  })
})
