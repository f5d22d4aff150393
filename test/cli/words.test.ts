import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { invocation, quote } from '../../src/cli/invocation.js'
import { formatTable, formatTime } from '../../src/cli/print.js'
import { type Address, defaultPublicUrl, localUrl } from '../../src/cli/serve/addresses.js'
import { nextLines } from '../../src/cli/serve/first-start.js'
import { createLogger, redact } from '../../src/cli/serve/log.js'
import { signInUrl } from '../../src/cli/sign-in-url.js'

describe('addresses', () => {
  const at = (host: string, port = 8080, scheme: Address['scheme'] = 'http'): Address => ({ scheme, host, port })

  it('a port that the scheme implies is left out, IPv6 stands in brackets', () => {
    expect(
      [
        at('127.0.0.1'),
        at('localhost', 80),
        at('localhost', 443, 'https'),
        at('localhost', 80, 'https'),
        at('::1'),
        at('0.0.0.0'),
        at('::'),
      ].map(localUrl),
    ).toEqual([
      'http://127.0.0.1:8080',
      'http://localhost',
      'https://localhost',
      'https://localhost:80',
      'http://[::1]:8080',
      'http://127.0.0.1:8080',
      'http://[::1]:8080',
    ])
  })

  const request = (host: string | undefined) => ({
    method: 'GET',
    path: '/',
    query: '',
    headers: { host },
    body: { kind: 'none' } as const,
  })

  it('the Host header counts only when listening on all addresses, and only when it is a host', () => {
    expect(defaultPublicUrl(() => at('127.0.0.1'))(request('evil.example'))).toBe('http://127.0.0.1:8080')
    const everywhere = defaultPublicUrl(() => at('0.0.0.0'))
    expect(everywhere(request('registry.lan:8080'))).toBe('http://registry.lan:8080')
    expect(everywhere(request('[fe80::1]:8080'))).toBe('http://[fe80::1]:8080')
    for (const wrong of [undefined, '', 'a/b', 'a b', 'user@a', 'a:b', 'a\r\nx: y'])
      expect(everywhere(request(wrong)), String(wrong)).toBe('http://127.0.0.1:8080')
  })
})

describe('lines to type next', () => {
  const lines = (url: string): string =>
    nextLines({
      ...{ url, tokenFile: '/data/admin-token', signIn: signInUrl(url, 'the-code') },
      command: (words) => `sif-library ${words}`,
    }).join('\n')

  it('with a port: our own remote command, for both clients', () => {
    const text = lines('http://127.0.0.1:8080')
    expect(text).toContain('sif-library remote --user admin --write')
    expect(text).not.toContain('remote add')
    for (const client of ['singularity', 'apptainer']) {
      expect(text).toContain(`${client} push -U image.sif library://admin/demo/hello:1.0`)
      expect(text).toContain(`${client} pull hello.sif library://admin/demo/hello:1.0`)
    }
  })

  it('have a link that signs the admin in, below the path of the URL', () => {
    expect(lines('http://127.0.0.1:8080')).toContain('\n  http://127.0.0.1:8080/ui/sign-in#the-code\n')
    expect(lines('https://library.example.org/sif/')).toContain(
      '\n  https://library.example.org/sif/ui/sign-in#the-code\n',
    )
  })

  it('without one: remote add and remote login, insecure only over http, the path of the URL kept', () => {
    expect(lines('https://library.example.org/sif')).toContain(
      '  apptainer remote add --no-login sif-library library.example.org/sif\n  apptainer remote login --tokenfile /data/admin-token sif-library',
    )
    expect(lines('http://library.example.org')).toContain(
      'singularity remote add --no-login --insecure sif-library library.example.org\n',
    )
  })

  it('never shows a token', () => {
    expect(lines('http://127.0.0.1:8080')).not.toMatch(/sif_/)
  })
})

describe('how the program was called', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sif-library-invocation-'))
    writeFileSync(join(folder, 'main.js'), '')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const link = (...path: readonly string[]): string => {
    const directory = join(folder, ...path)
    mkdirSync(directory, { recursive: true })
    symlinkSync(join(folder, 'main.js'), join(directory, 'sif-library'))
    return join(directory, 'sif-library')
  }

  it('by name where the shell finds it, by npx where a project installed it, else by the script', () => {
    const installed = link('bin')
    const local = link('project', 'node_modules', '.bin')
    expect(invocation({ script: installed, path: `/usr/bin:${join(folder, 'bin')}`, cwd: '/' })).toBe('sif-library')
    expect(invocation({ script: local, path: join(folder, 'project', 'node_modules', '.bin'), cwd: folder })).toBe(
      'npx sif-library',
    )
    expect(invocation({ script: installed, path: '/usr/bin', cwd: folder })).toBe('node main.js')
    expect(invocation({ script: join(folder, 'main.js'), path: '', cwd: '/usr' })).toMatch(/^node \/.*main\.js$/)
  })

  it('quotes what a shell would split', () => {
    expect([quote('/a/b-c.d'), quote('a b'), quote("it's"), quote('')]).toEqual([
      '/a/b-c.d',
      "'a b'",
      "'it'\\''s'",
      "''",
    ])
  })
})

describe('log', () => {
  const token = `sif_${'Ab-_9'.repeat(40)}`

  it('takes out tokens, capabilities, signatures and passwords', () => {
    const text = `${token} Bearer abc.def BEARER xyz /transfers/eyJh.sig-1 https://s3/b/k?X-Amz-Signature=abcd&X-Amz-Credential=AK%2F1&partNumber=1 postgres://me:word@db/x`
    const clean = redact(text)
    for (const secret of [token, 'abc.def', 'xyz', 'eyJh', 'sig-1', 'abcd', 'AK%2F1', 'word'])
      expect(clean).not.toContain(secret)
    expect(clean).toContain('partNumber=1')
    expect(clean).toContain('postgres://me:[redacted]@db/x')
  })

  it.each(['json', 'pretty'] as const)('%s lines keep facts and errors, and no secret in either', (logFormat) => {
    const written: string[] = []
    const logger = createLogger(
      { logLevel: 'info', logFormat },
      { isTerminal: false, write: (text) => written.push(text) },
    )
    const cause = new Error(`GET /transfers/abc.def failed with ${token}`)
    logger.error(
      { route: 'images.get', token, headers: { authorization: `Bearer ${token}` }, err: new Error('outer', { cause }) },
      'request failed',
    )
    logger.debug({}, 'hidden')
    const text = written.join('')
    expect(text).toContain('images.get')
    expect(text).toContain('request failed')
    expect(text).toContain('outer')
    expect(text).not.toContain(token)
    expect(text).not.toContain('abc.def')
    expect(text).not.toContain('hidden')
    expect(text.includes('"msg":"request failed"')).toBe(logFormat === 'json')
  })

  it('is pretty on a terminal, unless told', () => {
    const lineOf = (logFormat: 'json' | undefined, isTerminal: boolean): string => {
      let line = ''
      const logger = createLogger({ logLevel: 'info', logFormat }, { isTerminal, write: (text) => (line = text) })
      logger.info({ a: 1 }, 'word')
      logger.flush()
      return line
    }
    expect(lineOf(undefined, true)).toMatch(/^\d\d:\d\d:\d\d info word a=1\n$/)
    expect(JSON.parse(lineOf(undefined, false))).toMatchObject({ level: 30, msg: 'word', a: 1 })
    expect(JSON.parse(lineOf('json', true))).toMatchObject({ msg: 'word' })
  })
})

describe('print', () => {
  it('aligns columns, and prints nothing for no rows', () => {
    expect(
      formatTable([
        { id: '1', name: 'long one' },
        { id: '22', name: '-' },
      ]),
    ).toEqual(['ID  NAME', '1   long one', '22  -'])
    expect(formatTable([])).toEqual([])
  })

  it('writes times to the second, and a dash for none', () => {
    expect([formatTime(0), formatTime(null)]).toEqual(['1970-01-01T00:00:00Z', '-'])
  })
})
