/** The standalone example as it would be installed: the packed package, the unit's own command line, the lines of its README; only the folders are others. */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { pull, push } from '../adapters/push.js'
import { describeWhen } from '../e2e/harness/availability.js'
import { PACKAGE } from '../e2e/harness/paths.js'
import { run, runOk } from '../e2e/harness/run.js'
import { freePort } from '../e2e/harness/server.js'
import { type ServerProcess, startProcess } from '../e2e/harness/server-process.js'
import { makeSif } from '../fixtures/sif.js'
import { install, pack } from '../package/packed.js'

const example = join(PACKAGE, 'examples/standalone')
const bytes = makeSif()
let url: string
let unit: string
let place: (text: string) => string
let folder: string
let server: ServerProcess | undefined

/** The values of a key of the unit. */
const unitValues = (key: string): string[] =>
  unit.split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []))

function startUnit(): Promise<ServerProcess> {
  const [program = '', ...args] = (unitValues('ExecStart')[0] ?? '').split(' ')
  const env = Object.fromEntries(unitValues('Environment').map((line) => line.split('=') as [string, string]))
  return startProcess({ program, args, env })
}

const registryOf = (token?: string): { url: string; token?: string } => ({
  url,
  ...(token === undefined ? {} : { token }),
})
const adminToken = async (): Promise<string> => (await readFile(join(folder, 'data/admin-token'), 'utf8')).trim()

beforeAll(async () => {
  const consumer = await install(await pack(), { linked: ['better-sqlite3'] })
  folder = consumer.folder
  url = `http://127.0.0.1:${await freePort()}`
  place = (text) =>
    text
      .replaceAll('/opt/sif-library', folder)
      .replaceAll('/etc/sif-library', join(folder, 'etc'))
      .replaceAll('/var/lib/sif-library', join(folder, 'data'))
  unit = place(await readFile(join(example, 'sif-library.service'), 'utf8'))
  await mkdir(join(folder, 'etc'))
  const config = place(await readFile(join(example, 'sif-library.yaml'), 'utf8'))
  await consumer.write(
    'etc/sif-library.yaml',
    config.replace('port: 8080', `port: ${new URL(url).port}`).replace('https://registry.example', url),
  )
  server = await startUnit()
})
afterAll(() => server?.kill())

test('the configuration file fits its schema', async () => {
  const schema = JSON.parse(await readFile(join(PACKAGE, 'config.schema.json'), 'utf8')) as object
  const validate = new Ajv2020().compile(schema)
  validate(parse(await readFile(join(example, 'sif-library.yaml'), 'utf8')))
  expect(validate.errors).toBeNull()
})

test('the server of the unit takes a push by its configuration', async () => {
  const admin = registryOf(await adminToken())
  await push(admin, { path: 'admin/tools/bwa', bytes })
  expect((await pull(admin, 'admin/tools/bwa:latest')).equals(bytes)).toBe(true)
  await expect(pull(registryOf(), 'admin/tools/bwa:latest'), 'default-private holds').rejects.toThrow('404')
  await expect(push(admin, { path: 'admin/tools/bwa', bytes: randomBytes(1000) }), 'require-sif holds').rejects.toThrow(
    '422',
  )
})

test('users and tokens are made while it runs, by the lines of the README', async () => {
  const lines = (await readFile(join(example, 'README.md'), 'utf8'))
    .split('\n')
    .filter((line) => line.startsWith('sudo -u sif-library '))
  expect(lines).toHaveLength(2)
  const [add, token] = lines.map((line) => place(line.replace('sudo -u sif-library ', '')))
  await runOk('sh', { args: ['-c', add ?? ''] })
  const alice = registryOf((await runOk('sh', { args: ['-c', token ?? ''] })).trim())
  await push(alice, { path: 'genomics/tools/bwa', bytes })
  expect((await pull(alice, 'genomics/tools/bwa:latest')).equals(bytes)).toBe(true)
})

test('SIGTERM ends it with 0, and what was pushed is there after the next start', async () => {
  expect(await server?.stop()).toBe(0)
  server = await startUnit()
  expect((await pull(registryOf(await adminToken()), 'admin/tools/bwa:latest')).equals(bytes)).toBe(true)
  expect(await server.stop()).toBe(0)
})

const systemdMissing =
  spawnSync('systemd-analyze', ['--version']).status === 0
    ? undefined
    : 'systemd-analyze is not installed (Debian: apt-get install systemd)'

describeWhen(systemdMissing, 'the check of the systemd unit')('systemd', () => {
  /** What systemd has to say about a unit; its words about other units of the machine are left out. */
  async function verify(text: string): Promise<string[]> {
    const file = join(folder, 'sif-library.service')
    await writeFile(file, text)
    const { stdout, stderr } = await run('systemd-analyze', {
      args: ['verify', '--man=no', file],
      env: { SYSTEMD_LOG_LEVEL: 'warning' },
    })
    return `${stdout}\n${stderr}`.split('\n').filter((line) => line.includes('sif-library.service'))
  }

  test('finds that the unit may do little', async () => {
    const file = join(folder, 'sif-library.service')
    const exposure = async (text: string): Promise<number> => {
      await writeFile(file, text)
      const { stdout } = await run('systemd-analyze', { args: ['security', '--no-pager', '--offline=yes', file] })
      return Number(/exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1])
    }
    expect(await exposure(unit)).toBeLessThan(2.5)
    expect(await exposure(unit.replace('CapabilityBoundingSet=', '')), 'while it would see more').toBeGreaterThan(2.5)
    expect(unitValues('UMask')).toEqual(['0077'])
    expect(unitValues('MemoryDenyWriteExecute'), 'Node compiles while it runs').toEqual([])
  })

  test('finds no fault with the unit', async () => {
    expect(await verify(unit)).toEqual([])
    expect((await verify(unit.replace('ProtectSystem=', 'ProtectSystm='))).join(), 'while it would see one').toContain(
      'ProtectSystm',
    )
    expect(
      (await verify(unit.replace('/.bin/sif-library', '/.bin/sif'))).join(),
      'also a program that is not there',
    ).toContain('not executable')
  })
})
