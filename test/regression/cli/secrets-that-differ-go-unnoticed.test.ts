/**
 * Of two instances on one PostgreSQL one was given a secret and the other was not, and signs with what lies in the database: each refused the transfer
 * URLs of the other, and neither `serve` nor `doctor` said a word.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkMetadata } from '../../../src/cli/doctor/records.js'
import { recordFingerprint, sameAsRecorded, signingSecret } from '../../../src/cli/serve/secret-fingerprint.js'
import { createLibrary } from '../../../src/core/index.js'
import { memoryStorage } from '../../../src/storage/blob/memory.js'
import type { MetadataStore } from '../../../src/storage/metadata/contract.js'
import { sqliteMetadata } from '../../../src/storage/metadata/sqlite/index.js'

const given = 'a secret of one instance, forty characters long'
let metadata: MetadataStore
beforeEach(async () => {
  metadata = sqliteMetadata({ file: ':memory:' })
  await metadata.ready()
})
afterEach(() => metadata.close())

/** What `serve` does: false when it warns. */
async function start(secret: string | undefined): Promise<boolean> {
  const options = secret === undefined ? {} : { secret }
  // not closed: the store goes on
  await createLibrary({
    publicUrl: 'https://reg.example',
    storage: memoryStorage(),
    metadata,
    acceptStorage: true,
    ...options,
  }).ready()
  const signsWith = await signingSecret(metadata, secret)
  if (signsWith === undefined) throw new Error('nobody knows what it signs with')
  return recordFingerprint(metadata, signsWith)
}

/** What `doctor` says of the secret where this one was given. */
async function doctorSays(secret: string | undefined) {
  for await (const { check, state } of checkMetadata(metadata, secret))
    if (check === 'secret of all instances') return state
  return undefined
}

describe.each([
  ['given, then none', given, undefined],
  ['none, then given', undefined, given],
])('%s', (_, first, second) => {
  it('the instance that starts second is told', async () => {
    expect(await start(first)).toBe(true)
    expect(await start(second)).toBe(false)
    expect([await doctorSays(first), await doctorSays(second)]).toEqual(['failed', 'ok'])
  })
})

it.each([given, undefined])('two that sign with the same say nothing (%s)', async (secret) => {
  expect([await start(secret), await start(secret)]).toEqual([true, true])
  expect(await doctorSays(secret)).toBe('ok')
})

it('before the first start there is nothing to say, and what is recorded is no secret', async () => {
  expect(await signingSecret(metadata, undefined)).toBeUndefined()
  expect([await doctorSays(undefined), await doctorSays(given)]).toEqual([undefined, undefined])
  await start(undefined)
  const kept = (await signingSecret(metadata, undefined)) ?? ''
  expect(await metadata.settings.get('secret-fingerprint')).not.toContain(kept)
  expect(await sameAsRecorded(metadata, kept)).toBe(true)
})
