import { describe, expect, test } from 'vitest'
import { StorageError } from '../../../../src/storage/blob/errors.js'
import { keepSession, type S3Session } from '../../../../src/storage/blob/s3/upload-session.js'

/** A store that opens sessions of the length that is asked for, and a clock that stands still. */
function makeStore() {
  const store = { now: 0, opened: [] as number[], fails: false }
  const open = async (seconds: number): Promise<S3Session> => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (store.fails) throw new StorageError('unavailable', 'no answer', { backend: 's3' })
    store.opened.push(seconds)
    const id = String(store.opened.length)
    const expiration = new Date(store.now + seconds * 1000)
    return { accessKeyId: id, secretAccessKey: 's', sessionToken: 't', expiration }
  }
  return { store, session: keepSession(open, () => new Date(store.now)) }
}
const leftOf = (session: S3Session, now: number): number => (session.expiration.getTime() - now) / 1000

describe('an upload session', () => {
  test.each([60, 900, 3600, 86_400, 300_000])(
    'outlives URLs of %i seconds, whenever they are made',
    async (seconds) => {
      const { store, session } = makeStore()
      for (let hour = 0; hour < 200; hour += 1) {
        expect(leftOf(await session(seconds), store.now)).toBeGreaterThanOrEqual(seconds)
        store.now += 3_600_000
      }
      for (const asked of store.opened) {
        expect(asked).toBeGreaterThanOrEqual(900)
        expect(asked).toBeLessThanOrEqual(604_800)
      }
    },
  )

  test('is opened once for many at a time, and not again while it lasts', async () => {
    const { store, session } = makeStore()
    const ids = await Promise.all(Array.from({ length: 50 }, async () => (await session(3600)).accessKeyId))
    expect(new Set(ids)).toEqual(new Set(['1']))
    store.now += 60_000
    await session(3600)
    expect(store.opened).toHaveLength(1)
  })

  test('of a short URL is no session for a long one that waits for it', async () => {
    const { store, session } = makeStore()
    const [, long] = await Promise.all([session(60), session(86_400)])
    expect(leftOf(long as S3Session, store.now)).toBeGreaterThanOrEqual(86_400)
  })

  test('serves on while the store opens none, as long as something is left of it', async () => {
    const { store, session } = makeStore()
    const first = await session(3600)
    store.fails = true
    store.now = first.expiration.getTime() - 120_000
    expect(await session(3600)).toBe(first)
    store.now = first.expiration.getTime() - 30_000
    await expect(session(3600)).rejects.toMatchObject({ code: 'unavailable' })
    store.fails = false
    expect((await session(3600)).accessKeyId).toBe('2')
  })
})
