import { afterEach, describe, expect, test, vi } from 'vitest'
import { postgresMetadata } from '../../../src/storage/metadata/postgres.js'
import { postgresDialect, withNumbers } from '../../../src/storage/metadata/postgres-dialect.js'
import { isConflict, isConnectionLost, translated } from '../../../src/storage/metadata/postgres-errors.js'

// what needs a server is in test/e2e/postgres

afterEach(() => {
  vi.doUnmock('pg')
  vi.resetModules()
})

describe('the dialect', () => {
  test('numbers the values of a statement', () => {
    expect(withNumbers('SELECT a FROM b WHERE c = ? AND d IN (?, ?) LIMIT ?')).toBe('SELECT a FROM b WHERE c = $1 AND d IN ($2, $3) LIMIT $4')
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
    ['ECONNREFUSED', 'unavailable', true],
    ['28P01', 'unavailable', false],
    ['42501', 'unavailable', false],
    ['42601', 'internal', false],
  ])('%s is %s', (code, expected, retryable) => {
    expect(translated(failure(code))).toMatchObject({ name: 'MetadataError', code: expected, retryable })
  })

  test('tell a lost connection from a lost transaction and from a refusal', () => {
    for (const code of ['08006', '57P01', '57P03', '53300', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE']) expect(isConnectionLost(failure(code))).toBe(true)
    expect(isConnectionLost(new Error('Connection terminated unexpectedly'))).toBe(true)
    for (const code of ['40001', '28P01', '3D000', '23505', '57014', '']) expect(isConnectionLost(failure(code))).toBe(false)
    expect([isConflict(failure('40001')), isConflict(failure('40P01')), isConflict(failure('57P01'))]).toEqual([true, true, false])
  })
})

test('the missing package is named, with its version', async () => {
  vi.doMock('pg', () => {
    throw new Error('Cannot find package')
  })
  const store = postgresMetadata({ url: 'postgres://u:secret-password@127.0.0.1:1/d' })
  await expect(store.ready()).rejects.toMatchObject({ name: 'MetadataError', code: 'driver-missing', message: expect.stringContaining('pg@8') })
  expect((await store.check()).message).not.toContain('secret-password')
  await store.close()
})
