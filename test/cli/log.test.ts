/** The log of `serve`: lines wait for each other, stay in order, and hold no secret that somebody wrote into them. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { logEvents } from '../../src/cli/serve/event-log.js'
import { createLogger, redact } from '../../src/cli/serve/log.js'
import { createTestRegistry } from '../support/registry.js'

const token = `sif_${'Ab9'.repeat(70)}`
const facts = {
  requestId: 'abc-1',
  route: 'images.get',
  method: 'GET',
  path: '/v1/images/alice/tools/bwa:1.0',
  resource: undefined,
  status: 200,
  ms: 1,
  principal: null,
  principalName: 'alice',
  remote: '127.0.0.1',
}

let writes: string[]
const create = (logFormat: 'json' | 'pretty' = 'json', { isTerminal = false, logLevel = 'info' as const } = {}) =>
  createLogger({ logLevel, logFormat }, { isTerminal, write: (text) => void writes.push(text) })
beforeEach(() => {
  writes = []
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('waiting lines', () => {
  it('are written together after 100 ms, at 16 KiB, and by flush', () => {
    const logger = create()
    for (let index = 0; index < 10; index += 1) logger.info({ ...facts, requestId: `r-${index}` }, 'request')
    expect(writes).toEqual([])
    vi.advanceTimersByTime(100)
    expect(writes).toHaveLength(1)
    expect(writes[0]?.split('\n')).toHaveLength(11)
    for (let index = 0; index < 1000; index += 1) logger.info({ ...facts, requestId: `s-${index}` }, 'request')
    expect(writes.length).toBeGreaterThan(5)
    expect(writes.length).toBeLessThan(25)
    logger.flush()
    logger.flush()
    const ids = writes
      .slice(1)
      .join('')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).requestId)
    expect(ids).toEqual(Array.from({ length: 1000 }, (_, index) => `s-${index}`))
    expect(vi.getTimerCount()).toBe(0)
  })

  it('go out with a warning or an error, in front of it; on a terminal none waits', () => {
    for (const level of ['warn', 'error'] as const) {
      writes = []
      const logger = create()
      logger.info(facts, 'request')
      logger.info({}, 'words')
      logger[level]({}, 'trouble')
      expect(
        writes
          .join('')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).msg),
      ).toEqual(['request', 'words', 'trouble'])
    }
    writes = []
    create('pretty', { isTerminal: true }).info(facts, 'request')
    expect(writes).toHaveLength(1)
  })
})

describe('the line of a request', () => {
  const lineOf = (more: object, format: 'json' | 'pretty' = 'json'): string => {
    writes = []
    const logger = create(format)
    logger.info({ ...facts, ...more }, 'request')
    logger.flush()
    return writes.join('')
  }

  it('is JSON of the same form as every other line', () => {
    vi.setSystemTime(1_800_000_000_123)
    const { resource: _, ...written } = facts
    expect(JSON.parse(lineOf({}))).toEqual({ level: 30, time: '2027-01-15T08:00:00.123Z', ...written, msg: 'request' })
    const odd = { path: '/v1/images/a"b\\c\n\u2028é', principalName: 'O’Neill "x"', extra: { deep: ['a', true, null] } }
    expect(JSON.parse(lineOf(odd))).toMatchObject(odd)
    expect(lineOf(odd).split('\n')).toHaveLength(2)
  })

  it.each([
    `/v1/images/${token}`,
    '/v1/images/a?X-Amz-Signature=abcdef&x=1',
    '/x/postgres://me:word@db/x',
    `Bearer ${'y'.repeat(30)}`,
  ])('is redacted where somebody else wrote it: %s', (text) => {
    expect(redact(text)).not.toBe(text)
    for (const name of ['path', 'principalName', 'requestId']) {
      expect(JSON.parse(lineOf({ [name]: text }))[name]).toBe(redact(text))
      expect(lineOf({ extra: { [name]: text } })).not.toContain(text)
    }
  })

  it('obeys no control character on a terminal, and forges no second line', () => {
    const line = lineOf({ path: '/v1/\u001b[31m\u009b0m\nfake 12:00:00 info', principalName: 'a b' }, 'pretty')
    expect(line.trimEnd()).not.toMatch(/\p{Cc}/u)
    expect(line.split('\n')).toHaveLength(2)
    expect(line).toContain('principalName="a b"')
  })

  it('is not written below its level', () => {
    const logger = createLogger(
      { logLevel: 'warn', logFormat: 'json' },
      { isTerminal: true, write: (text) => void writes.push(text) },
    )
    logger.info(facts, 'request')
    logger.event({}, 'image.pulled')
    expect([writes, logger.isLevelEnabled('info'), logger.isLevelEnabled('error')]).toEqual([[], false, true])
  })
})

it('events are lines with the hash in the form of references', async () => {
  vi.useRealTimers()
  const registry = await createTestRegistry()
  const logger = create()
  logEvents(registry.library, logger)
  await registry.library.accounts.addUser({ name: 'carol', groups: ['lab'] })
  await registry.library.accounts.createToken({ user: 'carol', label: `pasted ${token}` })
  logger.flush()
  const lines = writes
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toEqual([
    expect.objectContaining({ level: 30, msg: 'user.added', user: 'carol', groups: ['lab'], principalName: null }),
    expect.objectContaining({ msg: 'token.created', user: 'carol', label: 'pasted sif_[redacted]' }),
  ])
  expect(lines[0]).not.toHaveProperty('at')
  await registry.close()
})
