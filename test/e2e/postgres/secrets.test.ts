/**
 * Of two instances on one database one was given a secret and the other was not: each refused the transfer URLs of the other, and neither `serve` nor
 * `doctor` said a word.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findPrograms, startPostgres } from '../../../scripts/postgres.mjs'
import { CLI } from '../harness/paths.js'
import { run } from '../harness/run.js'
import { type ServerProcess, startProcess } from '../harness/server-process.js'

const isMissing = findPrograms() === undefined && process.getuid?.() !== 0
const secret = 'a secret of one instance, forty characters!!'
const warning = /signs with another secret/

describe.skipIf(isMissing)('instances on one database', () => {
  let postgres: Awaited<ReturnType<typeof startPostgres>>
  let folder: string
  const servers: ServerProcess[] = []
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres?.stop())
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sif-library-secrets-'))
    await writeFile(join(folder, 'secret'), `${secret}\n`, { mode: 0o600 })
  })
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.kill()
    await rm(folder, { recursive: true, force: true })
  })

  async function newDatabase(name: string): Promise<string> {
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    await client.query(`CREATE DATABASE ${name}`).finally(() => client.end())
    const url = new URL(postgres.url)
    url.pathname = `/${name}`
    return url.href
  }

  const argsOf = (name: string, hasSecret: boolean, metadata: string) => {
    const own = [
      '--data',
      join(folder, name),
      '--storage',
      `filesystem:${join(folder, 'blobs')}`,
      '--metadata',
      metadata,
    ]
    return hasSecret ? [...own, '--secret-file', join(folder, 'secret')] : own
  }

  test.each([
    ['given_then_none', true, false],
    ['none_then_given', false, true],
    ['given_twice', true, true],
    ['none_twice', false, false],
  ])('%s', async (name, first, second) => {
    const metadata = await newDatabase(name)
    const logs: string[] = []
    const verdicts: (boolean | undefined)[] = []
    const [one, two] = [argsOf('one', first, metadata), argsOf('two', second, metadata)]
    for (const args of [one, two]) servers.push(await startProcess({ args: [CLI, 'serve', '--port', '0', ...args] }))
    for (const server of servers) logs.push(server.logs())
    for (const args of [one, two]) {
      const { stdout } = await run(process.execPath, { args: [CLI, 'doctor', '--json', ...args], timeout: 60_000 })
      const { findings }: { findings: { readonly check: string; readonly state: string }[] } = JSON.parse(stdout)
      const found = findings.find(({ check }) => check === 'secret of all instances')
      verdicts.push(found && found.state === 'ok')
    }
    const isSame = first === second
    expect(logs.map((log) => warning.test(log))).toEqual([false, !isSame])
    // the one that started last says what counts
    expect(verdicts).toEqual([isSame, true])
  })
})
