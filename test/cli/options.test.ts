import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commonOptions } from '../../src/cli/command.js'
import { commands } from '../../src/cli/commands/index.js'
import { configSchema } from '../../src/cli/options/config-schema.js'
import { optionPage } from '../../src/cli/options/docs.js'
import { duration, list, port, size, url } from '../../src/cli/options/kinds.js'
import { editDistance, nearest } from '../../src/cli/options/nearest.js'
import { resolveSettings } from '../../src/cli/options/resolve.js'
import { optionKeys, optionName, optionVariable } from '../../src/cli/options/table.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sif-library-options-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function configFile(name: string, content: string): string {
  const file = join(folder, name)
  writeFileSync(file, content)
  return file
}

describe('values', () => {
  it('reads times in seconds', () => {
    const read = duration().read
    expect(['90s', '15m', '24h', '30d', '2w', '1.5h', '0s'].map(read)).toEqual([
      90, 900, 86_400, 2_592_000, 1_209_600, 5400, 0,
    ])
    for (const wrong of ['', '24', 'h', '-1h', '1h30m', '1 h', '1H', '9999999999999999w', 24, null])
      expect(() => read(wrong), String(wrong)).toThrow('expected a time')
  })

  it('reads sizes in bytes, decimal and binary', () => {
    const read = size().read
    expect(['512B', '10kB', '10KiB', '1.5MB', '5GiB', '1TiB'].map(read)).toEqual([
      512,
      10_000,
      10_240,
      1_500_000,
      5 * 1024 ** 3,
      1024 ** 4,
    ])
    for (const wrong of ['', '10', '10G', '10gb', '-1MB', 'constructor', '1constructor', 10])
      expect(() => read(wrong), String(wrong)).toThrow('expected a size')
  })

  it('refuses nothing where nothing cannot work, and so does the schema', () => {
    const ajv = new Ajv2020()
    for (const [kind, nothing, some] of [
      [duration({ positive: true }), ['0s', '0.0h', '0.1s'], ['1s', '0.5m', '10d']],
      [size({ positive: true }), ['0B', '0.00MB', '0.4B'], ['1B', '0.5MB', '100kB']],
    ] as const) {
      for (const value of nothing)
        expect(() => kind.read(value), value).toThrow(/^expected a .*, and more than 0, not "0/)
      for (const value of some) expect(kind.read(value), value).toBeGreaterThan(0)
      expect([...nothing.slice(0, 2), ...some].map((value) => ajv.validate(kind.schema, value))).toEqual([
        false,
        false,
        true,
        true,
        true,
      ])
    }
  })

  it('reads ports, from text and from numbers', () => {
    expect([port().read('8080'), port().read(0), port().read('65535')]).toEqual([8080, 0, 65_535])
    for (const wrong of ['', '65536', '-1', '8080x', 1.5, '0x50'])
      expect(() => port().read(wrong), String(wrong)).toThrow('expected a port')
  })

  it('reads URLs and takes the trailing slash off', () => {
    expect(url().read('https://library.example.org/sif/')).toBe('https://library.example.org/sif')
    for (const wrong of [
      'library.example.org',
      'ftp://a',
      'http:a',
      'https://a?b',
      'https://a#b',
      'https://user:word@a',
      'javascript:alert(1)',
    ])
      expect(() => url().read(wrong), wrong).toThrow('expected an http or https URL')
  })

  it('never repeats a URL that it refuses: it may carry a password', () => {
    expect(() => url().read('https://user:word@a')).not.toThrow('word')
  })

  it('reads lists from repeated flags, commas and arrays alike', () => {
    const expected = ['a', 'b', 'c']
    for (const given of [['a', 'b', 'c'], 'a,b,c', ['a,b', 'c'], 'a, b,,c'])
      expect(list('X').read(given)).toEqual(expected)
  })

  it('refuses a list that came out empty: a token of no scopes may do everything', () => {
    for (const wrong of [' , ', ',', ' ', [','], [' ', ' , ']])
      expect(() => list('X').read(wrong), JSON.stringify(wrong)).toThrow('expected one or more')
    expect(() => list('X').read([''])).toThrow('expected')
    expect(() => resolveSettings({ flags: { scope: [' , '] }, environment: {} })).toThrow('scope')
    expect(() => resolveSettings({ flags: {}, environment: { SIF_LIBRARY_SCOPE: ' , ' } })).toThrow('SIF_LIBRARY_SCOPE')
    expect(resolveSettings({ flags: {}, environment: {} }).scope).toEqual([])
  })
})

describe('precedence', () => {
  it('flag before environment before file before default', () => {
    const config = configFile('order.yaml', 'port: 1\nhost: 10.0.0.1\ngrace: 1h\n')
    const settings = resolveSettings({
      flags: { port: '3', config },
      environment: { SIF_LIBRARY_PORT: '2', SIF_LIBRARY_HOST: '10.0.0.2' },
    })
    expect(settings).toMatchObject({
      port: 3,
      host: '10.0.0.2',
      grace: 3600,
      uploadTime: 86_400,
      pullTime: 3600,
      transfer: 'auto',
      noSweep: false,
      group: [],
      takeOver: false,
    })
  })

  it('finds the file through the environment too', () => {
    const config = configFile('env.json', JSON.stringify({ 'no-multipart': true, 'public-url': 'https://a.example/' }))
    expect(resolveSettings({ flags: {}, environment: { SIF_LIBRARY_CONFIG: config } })).toMatchObject({
      noMultipart: true,
      publicUrl: 'https://a.example',
    })
  })

  it('takes every option of the table from the environment and from a file', () => {
    const samples: Record<string, unknown> = {
      port: 1,
      listen: 'unix:/run/socket',
      concurrency: 2,
      transfer: 'proxy',
      logLevel: 'warn',
      logFormat: 'json',
      role: 'reader',
      publicUrl: 'https://a',
      keyserver: 'https://a',
      tokenPage: 'https://a',
      url: 'https://a',
    }
    const sample = (key: string): unknown => {
      if (key in samples) return samples[key]
      const schema = (configSchema() as { properties: Record<string, { type: string; pattern?: string }> }).properties[
        optionName(key as 'data')
      ]
      if (schema?.type === 'boolean') return true
      if (schema?.type === 'integer') return 7
      if (schema?.type === 'array') return ['a']
      if (schema?.pattern?.includes('kB') === true) return '1MB'
      return schema?.pattern === undefined ? 'x' : '2h'
    }
    for (const key of optionKeys.filter((each) => each !== 'config')) {
      const value = sample(key)
      const before = resolveSettings({ flags: {}, environment: {} })[key]
      const file = configFile('one.json', JSON.stringify({ [optionName(key)]: value }))
      const fromFile = resolveSettings({ flags: { config: file }, environment: {} })[key]
      const fromEnvironment = resolveSettings({ flags: {}, environment: { [optionVariable(key)]: String(value) } })[key]
      expect(fromFile, key).not.toEqual(before)
      expect(fromEnvironment, key).toEqual(fromFile)
    }
  })

  it('takes an empty variable for one that is not set', () => {
    expect(resolveSettings({ flags: {}, environment: { SIF_LIBRARY_PORT: '' } }).port).toBe(8080)
  })
})

describe('mistakes name what is wrong and what was meant', () => {
  const resolve = (environment: Record<string, string>, content?: string) =>
    resolveSettings({ flags: content === undefined ? {} : { config: configFile('wrong.yaml', content) }, environment })

  it.each([
    [{ SIF_LIBRARY_PROT: '1' }, undefined, 'SIF_LIBRARY_PROT: did you mean SIF_LIBRARY_PORT?'],
    [{ SIF_LIBRARY_SECRETS: 'x' }, undefined, 'did you mean SIF_LIBRARY_SECRET?'],
    [{ SIF_LIBRARY_PORT: 'http' }, undefined, 'SIF_LIBRARY_PORT: expected a port'],
    [{}, 'publicUrl: https://a', 'unknown key "publicUrl": did you mean public-url?'],
    [{}, 'config: x', 'unknown key "config"'],
    [{}, 'secret: x', 'unknown key "secret"'],
    [{}, 'constructor: x', 'unknown key "constructor"'],
    [{}, 'log-level: loud', 'log-level: expected debug or info or warn or error or silent, not "loud"'],
    [{}, '- port', 'expected keys and values'],
    [{}, 'port: [', 'wrong.yaml: '],
  ])('%j %s', (environment, content, message) => {
    expect(() => resolve(environment as Record<string, string>, content)).toThrow(message)
  })

  it('leaves the settings of the test suite alone', () => {
    expect(() => resolve({ SIF_LIBRARY_TEST_REQUIRE_ALL: '1' })).not.toThrow()
  })

  it('an empty file is no mistake', () => {
    expect(resolve({}, '').port).toBe(8080)
  })

  it('names a file that is not there', () => {
    expect(() => resolveSettings({ flags: { config: join(folder, 'nix.yaml') }, environment: {} })).toThrow(
      /cannot read .*nix\.yaml: ENOENT/,
    )
  })

  it('measures by letters put in, taken out, replaced and swapped', () => {
    expect([
      editDistance('port', 'port'),
      editDistance('prot', 'port'),
      editDistance('por', 'port'),
      editDistance('', 'abc'),
      editDistance('host', 'post'),
    ]).toEqual([0, 1, 1, 3, 1])
    expect(nearest('no-sweeep', ['no-multipart', 'no-sweep', 'port'])).toBe('no-sweep')
  })
})

describe('what is made from the table', () => {
  it('the published JSON Schema (npx vitest -u writes it)', async () => {
    await expect(`${JSON.stringify(configSchema(), null, 2)}\n`).toMatchFileSnapshot('../../config.schema.json')
  })

  it('the page of options in the docs (npx vitest -u writes it)', async () => {
    await expect(optionPage(commands)).toMatchFileSnapshot('../../docs/cli-options.md')
  })

  it('a schema that tells right files from wrong ones', () => {
    const validate = new Ajv2020({ strict: true }).compile(configSchema())
    expect(
      validate({ port: 8080, 'public-url': 'https://a.example', grace: '24h', group: ['a'], 'no-sweep': true }),
      JSON.stringify(validate.errors),
    ).toBe(true)
    for (const wrong of [
      { prot: 1 },
      { port: '8080' },
      { grace: 24 },
      { grace: '24' },
      { 'log-level': 'loud' },
      { config: 'x' },
      { 'public-url': 'a' },
    ])
      expect(validate(wrong), JSON.stringify(wrong)).toBe(false)
  })

  it('every option belongs to a command, and every flag of a command is one of the table', () => {
    const used = new Set([...commonOptions, ...commands.flatMap(({ options }) => options)])
    expect([...used].sort()).toEqual([...optionKeys].sort())
  })
})
