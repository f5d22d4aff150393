/** The body of an S3 object was a generator: left before its first read, it had nothing to clean up, and the connection to the store stayed. */
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import type { S3Context } from '../../../src/storage/blob/s3/context.js'
import { getObject } from '../../../src/storage/blob/s3/objects.js'

const answer = () => Readable.from([Buffer.from('some'), Buffer.from('bytes')])
const open = async (source: Readable) => {
  const connection = { bucket: 'b', call: async () => ({ ContentLength: 9, Body: source }) }
  return (await getObject({ connection } as unknown as S3Context, { key: 'k', object: 'k' })).body[
    Symbol.asyncIterator
  ]()
}

test('left before its first read, or after it, the answer of the store is closed', async () => {
  for (const reads of [0, 1]) {
    const source = answer()
    const body = await open(source)
    for (let read = 0; read < reads; read += 1) expect((await body.next()).value).toEqual(Buffer.from('some'))
    expect(source.destroyed).toBe(false)
    expect((await body.return?.())?.done).toBe(true)
    expect(source.destroyed).toBe(true)
    expect((await body.next()).done).toBe(true)
  }
})

test('read to its end it is whole', async () => {
  const source = answer()
  const body = await open(source)
  const read: unknown[] = []
  for (let result = await body.next(); result.done !== true; result = await body.next()) read.push(String(result.value))
  expect(read).toEqual(['some', 'bytes'])
  expect(source.destroyed).toBe(true)
})
