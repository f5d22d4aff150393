/** The search took any spelling of a number for `pageSize`, `0x10` too; and refused words of three bytes but two characters, which the clients let through. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

let registry: TestRegistry
beforeEach(async () => {
  registry = await createTestRegistry()
})
afterEach(() => registry.close())

const search = (query: string) => registry.call('GET', `/v1/search?${query}`)

test.each(['0x10', '1e2', '%2010', '10.0', '+5', '-1', '0', '1001', '', '%D9%A3'])(
  'pageSize=%s is 400',
  async (pageSize) => {
    const answer = await search(`value=abc&pageSize=${pageSize}`)
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('pageSize')])
  },
)

test.each(['1', '010', '1000'])('pageSize=%s is a number', async (pageSize) => {
  expect((await search(`value=abc&pageSize=${pageSize}`)).status).toBe(200)
})

test.each(['né', '€', 'abc', '😀'])('%s has three bytes: it is searched for', async (value) => {
  expect((await search(`value=${encodeURIComponent(value)}`)).status).toBe(200)
})

test.each(['', 'ab', 'é'])('"%s" is too short', async (value) => {
  const answer = await search(`value=${encodeURIComponent(value)}`)
  expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('value')])
})
