import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { mergeRemote, writeRemote } from '../../src/cli/remote-file.js'

const entry = { name: 'local', url: 'http://127.0.0.1:8080', token: `sif_${'t'.repeat(200)}` }

const before = `# mine
Active: cloud
Remotes:
  cloud:
    URI: cloud.example.org
    Token: other # keep
    System: true
    Exclusive: false
Credentials:
  - URI: docker://docker.io
    Auth: abc
    Insecure: false
`

describe('mergeRemote', () => {
  it('writes the entry that the clients read when the URL has a port (protocol 6.4)', () => {
    expect(parse(mergeRemote('', entry))).toEqual({
      Active: 'local',
      Remotes: {
        local: { URI: 'http://127.0.0.1:8080', Token: entry.token, System: false, Exclusive: false, Insecure: true },
      },
    })
  })

  it('keeps a token on one line', () => {
    expect(mergeRemote('', entry)).toContain(`Token: ${entry.token}\n`)
  })

  it('is not insecure over https', () => {
    expect(parse(mergeRemote('', { ...entry, url: 'https://a.example:8443' }))).toMatchObject({
      Remotes: { local: { Insecure: false } },
    })
  })

  it('keeps other remotes, credentials and comments', () => {
    const merged = mergeRemote(before, entry)
    expect(parse(merged)).toEqual({
      ...(parse(before) as object),
      Active: 'local',
      Remotes: { ...(parse(before) as { Remotes: object }).Remotes, local: expect.anything() },
    })
    expect(merged).toContain('# mine')
    expect(merged).toContain('# keep')
  })

  it('replaces an entry of the same name', () => {
    const twice = mergeRemote(mergeRemote(before, entry), { ...entry, token: 'second' })
    expect(parse(twice)).toMatchObject({ Remotes: { local: { Token: 'second' }, cloud: { Token: 'other' } } })
  })

  it.each(['- a\n', 'just text', 'Remotes: [a]\n', 'a: [', 'Remotes:\n'])('%j', (text) => {
    if (text === 'Remotes:\n') expect(parse(mergeRemote(text, entry))).toMatchObject({ Remotes: { local: {} } })
    else expect(() => mergeRemote(text, entry)).toThrow(/^it(s| is)/)
  })
})

describe('writeRemote', () => {
  let home: string
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'sif-library-remote-'))
  })
  afterEach(() => rmSync(home, { recursive: true }))
  const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8)

  it('makes folder and file private, without a backup where nothing was', async () => {
    const file = join(home, '.singularity', 'remote.yaml')
    expect(await writeRemote(file, entry)).toEqual({ file, backup: undefined })
    expect([mode(join(home, '.singularity')), mode(file)]).toEqual(['700', '600'])
    expect(readdirSync(join(home, '.singularity'))).toEqual(['remote.yaml'])
  })

  it('keeps the file from before beside it, and both private', async () => {
    const file = join(home, 'remote.yaml')
    writeFileSync(file, before)
    chmodSync(file, 0o644)
    expect(await writeRemote(file, entry)).toEqual({ file, backup: `${file}.bak` })
    expect(readFileSync(`${file}.bak`, 'utf8')).toBe(before)
    expect([mode(file), mode(`${file}.bak`)]).toEqual(['600', '600'])
  })

  it('touches nothing when the file cannot be understood', async () => {
    const file = join(home, 'remote.yaml')
    writeFileSync(file, 'Remotes: [')
    await expect(writeRemote(file, entry)).rejects.toThrow(`${file} was left as it is: it is no valid YAML file`)
    expect(readFileSync(file, 'utf8')).toBe('Remotes: [')
    expect(readdirSync(home)).toEqual(['remote.yaml'])
  })

  it('writes through a symbolic link and leaves it one', async () => {
    mkdirSync(join(home, 'dotfiles'))
    const real = join(home, 'dotfiles', 'remote.yaml')
    writeFileSync(real, before)
    const file = join(home, 'remote.yaml')
    symlinkSync(real, file)
    await writeRemote(file, entry)
    expect(parse(readFileSync(real, 'utf8'))).toMatchObject({ Active: 'local' })
    expect(readFileSync(file, 'utf8')).toBe(readFileSync(real, 'utf8'))
  })
})
