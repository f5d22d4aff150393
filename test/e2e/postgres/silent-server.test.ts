/** A database host that vanished without a word (frozen, or behind a NAT that forgot the connection) held every call, and with them the whole pool, for ever: only the server limited a statement. */
import net from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, type OnTestFinishedHandler, test } from 'vitest'
import { findPrograms, startPostgres } from '../../../scripts/postgres.mjs'
import { PostgresDriver } from '../../../src/storage/metadata/postgres/driver.js'
import type { Steps } from '../../../src/storage/metadata/sql/steps.js'

const isMissing = findPrograms() === undefined && process.getuid?.() !== 0
/** The limit of the client: this plus five seconds. */
const statementMs = 500
const limitMs = statementMs + 5000

/** Of the test's own context: these tests run at the same time. */
type OnFinished = (clean: OnTestFinishedHandler) => void

describe.skipIf(isMissing).concurrent('a server that falls silent', () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  /** A way to the server that swallows what goes over a connection from the first word on that matches, and never closes it. */
  async function startWay(onTestFinished: OnFinished) {
    const sockets = new Set<net.Socket>()
    const silent = new Set<net.Socket>()
    const silenceAll = () => {
      for (const socket of sockets) silent.add(socket)
    }
    const way = { url: '', silenceAt: undefined as RegExp | undefined, silenceAll }
    const proxy = net.createServer((client) => {
      const upstream = net.connect(Number(new URL(server.url).port), '127.0.0.1')
      sockets.add(client)
      client.on('data', (data) => {
        if (way.silenceAt?.test(data.toString('latin1'))) {
          way.silenceAt = undefined
          silent.add(client)
        }
        if (!silent.has(client)) upstream.write(data)
      })
      upstream.on('data', (data) => void (silent.has(client) || client.write(data)))
      upstream.on('error', () => undefined)
      client.on('error', () => undefined)
      client.on('close', () => upstream.destroy())
    })
    await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening))
    const url = new URL(server.url)
    url.port = String((proxy.address() as net.AddressInfo).port)
    way.url = url.href
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
      proxy.close()
    })
    return way
  }

  async function openDriver(
    url: string,
    { onTestFinished, max = 1, retryMs = 0 }: { onTestFinished: OnFinished; max?: number; retryMs?: number },
  ) {
    const driver = new PostgresDriver({
      pool: { connectionString: url, max, connectionTimeoutMillis: 1000 },
      schema: 'public',
      statementMs,
      retryMs,
    })
    await driver.open()
    onTestFinished(() => Promise.race([driver.close(), wait(1000)]))
    return driver
  }

  const select = function* (): Steps<unknown> {
    return (yield { sql: 'SELECT 1 AS one', values: [] })[0]?.one
  }

  async function timed(work: Promise<unknown>) {
    const start = performance.now()
    const outcome = await Promise.race([
      work.catch((error: unknown) => error),
      wait(2 * limitMs, 'hangs', { ref: false }),
    ])
    return { outcome, ms: performance.now() - start }
  }

  test('ends every call after the limit, and then the pool is of use at once', async ({ onTestFinished }) => {
    const way = await startWay(onTestFinished)
    const driver = await openDriver(way.url, { onTestFinished, max: 3 })
    // all three connections are there; one stays idle
    const sleep = function* () {
      yield { sql: 'SELECT pg_sleep(0.1)', values: [] }
    }
    await Promise.all([1, 2, 3].map(() => driver.run('read', sleep)))
    way.silenceAll()
    const calls = await Promise.all([timed(driver.run('read', select)), timed(driver.run('probe', select))])
    for (const { outcome, ms } of calls) {
      expect(outcome).toMatchObject({ name: 'MetadataError', code: 'unavailable', retryable: true })
      expect(ms).toBeGreaterThan(limitMs - 100)
      expect(ms).toBeLessThan(limitMs + 1000)
    }
    const later = await timed(driver.run('read', select))
    expect(later.outcome).toBe(1)
    expect(later.ms).toBeLessThan(1000)
  })

  test.for<[string, RegExp]>([
    ['while a transaction runs', /pg_backend_pid/],
    ['at its BEGIN', /BEGIN ISOLATION/],
    ['while a new connection is made ready', /search_path/],
  ])('%s is replaced within the time to retry', async ([_when, silenceAt], { onTestFinished }) => {
    const way = await startWay(onTestFinished)
    const driver = await openDriver(way.url, { onTestFinished, retryMs: 20_000 })
    way.silenceAt = silenceAt
    const { outcome, ms } = await timed(
      driver.run('transaction', function* () {
        yield { sql: 'SELECT pg_backend_pid()', values: [] }
        return yield* select()
      }),
    )
    expect(outcome).toBe(1)
    expect(ms).toBeGreaterThan(limitMs - 100)
    expect(ms).toBeLessThan(limitMs + 1000)
  })

  test('at a COMMIT leaves open whether it happened: unavailable, not repeated, and no ROLLBACK is waited for', async ({
    onTestFinished,
  }) => {
    const way = await startWay(onTestFinished)
    const driver = await openDriver(way.url, { onTestFinished, retryMs: 20_000 })
    let attempts = 0
    // not the COMMIT of making the connection ready
    await driver.run('read', select)
    way.silenceAt = /COMMIT\0/
    const { outcome, ms } = await timed(
      driver.run('transaction', function* () {
        attempts += 1
        yield { sql: 'SELECT 1', values: [] }
      }),
    )
    expect([outcome, attempts]).toEqual([expect.objectContaining({ code: 'unavailable', retryable: true }), 1])
    expect(ms).toBeLessThan(limitMs + 1000)
    expect(await driver.run('read', select)).toBe(1)
  })

  test('at a ROLLBACK costs its connection, not the call after it', async ({ onTestFinished }) => {
    const way = await startWay(onTestFinished)
    const driver = await openDriver(way.url, { onTestFinished })
    way.silenceAt = /ROLLBACK/
    const { outcome } = await timed(
      driver.run('transaction', function* () {
        yield { sql: 'SELECT 1', values: [] }
        throw new Error('refused')
      }),
    )
    expect(outcome).toMatchObject({ code: 'internal', message: expect.stringContaining('refused') })
    const later = await timed(driver.run('read', select))
    expect(later.outcome).toBe(1)
    expect(later.ms).toBeLessThan(1000)
  })

  test('is no slow change of the schema: that has no limit', async ({ onTestFinished }) => {
    const driver = await openDriver(server.url, { onTestFinished })
    const { outcome, ms } = await timed(
      driver.migrate(function* () {
        yield { sql: `SELECT pg_sleep(${(limitMs + 500) / 1000})`, values: [] }
      }),
    )
    expect(outcome).toBeUndefined()
    expect(ms).toBeGreaterThan(limitMs + 400)
  })
})
