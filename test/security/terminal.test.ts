/** What others wrote reaches no terminal as a command, and is looked through for secrets in time that grows with its length. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatTable } from '../../src/cli/print.js'
import { run } from '../../src/cli/program.js'
import { createLogger, redact } from '../../src/cli/serve/log.js'
import { createAccounts } from '../../src/core/auth/accounts.js'
import { sqliteMetadata } from '../../src/storage/metadata/sqlite/index.js'

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const obeyed = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/
/** Sets the title, clears the screen (C1 too), turns the direction, hides, goes back over the line. */
const hostile = 'lap\x1b]0;owned\x07top\x9b2J\u202etxt\u200b.fis\r\b\x7f\nadmin  yes'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sif-library-terminal-'))
  const metadata = sqliteMetadata({ file: join(folder, 'registry.db') })
  const accounts = createAccounts({ metadata })
  await accounts.addUser({ name: 'alice' })
  await accounts.createToken({ user: 'alice', label: hostile })
  await metadata.close()
})
afterAll(() => rm(folder, { recursive: true }))

async function command(...argv: readonly string[]) {
  const lines: string[] = []
  const to = (line: string): void => void lines.push(line)
  const terminal = { out: to, note: to, progress: to, environment: {}, home: folder }
  const code = await run([...argv, '--data', folder], terminal)
  return { code, lines }
}

test('a label with controls stays in its cell of the table, and keeps its value in JSON', async () => {
  const { lines } = await command('token', 'list')
  expect(lines).toHaveLength(2)
  expect(lines.join('\n')).not.toMatch(obeyed)
  expect(lines[1]).toContain('lap\\u001b]0;owned\\u0007top\\u009b2J\\u202etxt')
  const json = (await command('token', 'list', '--json')).lines.join('\n')
  expect(json).not.toMatch(obeyed)
  expect(JSON.parse(json)[0].label).toBe(hostile)
})

test.each([
  ['an argument that an error repeats', ['token', 'revoke', hostile]],
  ['a name that an error repeats', ['token', 'create', '--user', hostile]],
  ['a scope', ['token', 'create', '--user', 'alice', '--scope', hostile]],
  ['a path', ['visibility', hostile]],
  ['an unknown option', [`--${hostile}`]],
  ['a value of an option', ['sweep', '--grace', hostile]],
  ['a file that is not there', ['user', 'list', '--config', hostile]],
  ['a storage', ['sweep', '--storage', `filesystem:/dev/null/${hostile}`]],
])('%s', async (_, argv) => {
  const { code, lines } = await command(...argv)
  expect(code).not.toBe(0)
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.join('\n')).not.toMatch(obeyed)
})

test('a table', () => {
  const lines = formatTable([{ name: hostile, state: 'x' }])
  expect(lines).toHaveLength(2)
  expect(lines.join('\n')).not.toMatch(obeyed)
})

test.each(['json', 'pretty'] as const)('the log, as %s', (logFormat) => {
  let text = ''
  const logger = createLogger(
    { logLevel: 'debug', logFormat },
    {
      isTerminal: true,
      write: (part) => {
        text += part
      },
    },
  )
  logger.error({ principal: hostile, err: new Error(hostile) }, 'request failed')
  expect(text).not.toMatch(obeyed)
  expect(text).toContain('owned')
  // a fact makes no line of its own
  expect(text.split('\n').filter((line) => line.includes('principal'))[0]).toContain('yes')
})

/** Milliseconds of the quickest of some runs. */
function quickest(work: () => unknown): number {
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now()
    work()
    return performance.now() - start
  })
  return Math.min(...times)
}

test.each([
  ['a long word', (length: number) => 'a'.repeat(length)],
  ['many schemes', (length: number) => 'http://a:b'.repeat(length / 10)],
  ['slashes', (length: number) => '://'.repeat(length / 3)],
  ['a user without an end', (length: number) => `http://${'a'.repeat(length)}`],
  ['a password without an end', (length: number) => `http://a:${'b'.repeat(length)}`],
  ['blanks behind a scheme of credentials', (length: number) => `bearer${' '.repeat(length)}`],
  ['beginnings of tokens', (length: number) => 'sif_'.repeat(length / 4)],
  ['queries', (length: number) => '?X-Amz-Signature='.repeat(length / 17)],
  ['beginnings of transfer URLs', (length: number) => '/transfers/'.repeat(length / 11)],
])('redact takes time that grows with the text and no faster: %s', (_, make) => {
  const short = make(5_000)
  const long = make(50_000)
  // quadratic would be a hundred times as long; what takes next to no time is linear enough
  expect(quickest(() => redact(long))).toBeLessThan(Math.max(40 * quickest(() => redact(short)), 50))
})

test('redact still finds passwords in URLs', () => {
  expect(redact('postgres://me:hunter2@db/x and (s3+https://k:s@h)')).toBe(
    'postgres://me:[redacted]@db/x and (s3+https://k:[redacted]@h)',
  )
})
