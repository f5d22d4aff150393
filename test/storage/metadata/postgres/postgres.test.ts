import { afterEach, describe, expect, test, vi } from 'vitest'
import { postgresDialect, withNumbers } from '../../../../src/storage/metadata/postgres/dialect.js'
import {
  beginFailure,
  isConflict,
  isConnectionLost,
  isReadOnly,
  translated,
} from '../../../../src/storage/metadata/postgres/errors.js'
import { postgresMetadata } from '../../../../src/storage/metadata/postgres/index.js'

// what needs a server is in test/e2e/postgres

afterEach(() => {
  vi.doUnmock('pg')
  vi.resetModules()
})

describe('the dialect', () => {
  test('numbers the values of a statement', () => {
    expect(withNumbers('SELECT a FROM b WHERE c = ? AND d IN (?, ?) LIMIT ?')).toBe(
      'SELECT a FROM b WHERE c = $1 AND d IN ($2, $3) LIMIT $4',
    )
  })

  test('makes every character of a search stand for itself', () => {
    expect(postgresDialect.pattern('100%_\\x')).toBe('%100\\%\\_\\\\x%')
  })
})

describe('errors', () => {
  const failure = (code: string, message = 'text') => Object.assign(new Error(message), { code })

  test.each([
    ['23505', 'exists', false],
    ['23503', 'parent-missing', false],
    ['40P01', 'unavailable', true],
    ['57P01', 'unavailable', true],
    ['57014', 'unavailable', true],
    ['25006', 'unavailable', true],
    ['ECONNREFUSED', 'unavailable', true],
    ['EAI_AGAIN', 'unavailable', true],
    ['ENOTFOUND', 'unavailable', true],
    ['25P03', 'unavailable', true],
    ['25P04', 'unavailable', true],
    ['57P05', 'unavailable', true],
    ['58030', 'unavailable', true],
    ['CERT_HAS_EXPIRED', 'unavailable', false],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'unavailable', false],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'unavailable', false],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unavailable', false],
    ['HOSTNAME_MISMATCH', 'unavailable', false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'unavailable', false],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'unavailable', false],
    ['28P01', 'unavailable', false],
    ['42501', 'unavailable', false],
    ['42601', 'internal', false],
    ['0A000', 'internal', false],
  ])('%s is %s', (code, expected, retryable) => {
    expect(translated(failure(code))).toMatchObject({ name: 'MetadataError', code: expected, retryable })
  })

  test.each(['The server does not support SSL connections', 'There was an error establishing an SSL connection'])(
    '%s',
    (text) => {
      expect(translated(new Error(text))).toMatchObject({
        name: 'MetadataError',
        code: 'unavailable',
        retryable: false,
      })
    },
  )

  test('tell a lost connection from a lost transaction and from a refusal', () => {
    for (const code of [
      '08006',
      '57P01',
      '57P03',
      '53300',
      'ECONNRESET',
      'ETIMEDOUT',
      'EPIPE',
      'EAI_AGAIN',
      '25P03',
      '25P04',
      '57P05',
    ])
      expect(isConnectionLost(failure(code))).toBe(true)
    for (const text of ['Connection terminated unexpectedly', 'Query read timeout'])
      expect(isConnectionLost(new Error(text))).toBe(true)
    for (const code of ['40001', '28P01', '3D000', '23505', '57014', ''])
      expect(isConnectionLost(failure(code))).toBe(false)
    expect([isConflict(failure('40001')), isConflict(failure('40P01')), isConflict(failure('57P01'))]).toEqual([
      true,
      true,
      false,
    ])
  })

  test('make a read-only server of what a standby says to BEGIN, and of nothing else', () => {
    const standby = beginFailure(failure('0A000', 'cannot set transaction read-write mode during recovery'))
    expect(isReadOnly(standby)).toBe(true)
    expect(translated(standby)).toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: expect.stringContaining('during recovery'),
    })
    expect(isReadOnly(failure('0A000'))).toBe(false)
    const other = failure('57P01')
    expect(beginFailure(other)).toBe(other)
  })
})

test('the missing package is named, with its version', async () => {
  vi.doMock('pg', () => {
    throw new Error('Cannot find package')
  })
  const store = postgresMetadata({ url: 'postgres://u:secret-password@127.0.0.1:1/d' })
  await expect(store.ready()).rejects.toMatchObject({
    name: 'MetadataError',
    code: 'driver-missing',
    message: expect.stringContaining('pg@8'),
  })
  expect((await store.check()).message).not.toContain('secret-password')
  await store.close()
})

test('a silent connection is asked whether it is alive, and an idle one leaves the pool before a call gives up', async () => {
  const seen: unknown[] = []
  class Pool {
    constructor(options: unknown) {
      seen.push(options)
    }
    on() {}
    connect = () => Promise.reject(new Error('no server'))
    end() {}
  }
  vi.doMock('pg', () => ({ default: { Pool, types: {} } }))
  for (const statementMs of [1000, 30_000]) await postgresMetadata({ statementMs, retryMs: 0 }).check()
  const watched = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 }
  expect(seen).toMatchObject([
    { ...watched, idleTimeoutMillis: 6000 },
    { ...watched, idleTimeoutMillis: 10_000 },
  ])
})
