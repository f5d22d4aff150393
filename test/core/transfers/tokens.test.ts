import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Capability, createTransferTokens } from '../../../src/core/transfers/tokens.js'
import { hashOf, makeImage, push, sha256 } from '../../support/push.js'
import { createTestRegistry, TEST_SECRET } from '../../support/registry.js'

const clock = { now: 1_800_000_000_000 }
const make = (secret = TEST_SECRET) => createTransferTokens({ secret: () => secret, clock: () => clock.now })
const capability: Capability = {
  purpose: 'get',
  key: 'blobs/sha256/ab/cd/ef',
  size: 100,
  sha256: 'ab'.repeat(32),
  imageId: 'c'.repeat(24),
  expires: 1_800_000_100,
}
const refused = expect.objectContaining({ code: 'expired-url', status: 403 })
const tokenOf = (path: string): string => path.slice('/transfers/'.length)

describe('capabilities', () => {
  it('reads back what another instance with the same secret signed', () => {
    const path = make().sign(capability)
    expect(path).toMatch(/^\/transfers\/[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/)
    expect(make().verify(tokenOf(path))).toEqual(capability)
  })

  it('refuses every altered character, with the same words', () => {
    const token = tokenOf(make().sign(capability))
    const words = new Set<string>()
    for (let at = 0; at < token.length; at += 1) {
      // the last character of a base64url text carries bits that mean nothing
      if (at === token.length - 1) continue
      const altered = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      try {
        make().verify(altered)
        expect.fail(`character ${at} may be altered`)
      } catch (error) {
        expect(error).toEqual(refused)
        words.add((error as Error).message)
      }
    }
    clock.now += 200_000
    expect(() => make().verify(token)).toThrow(refused)
    try {
      make().verify(token)
    } catch (error) {
      words.add((error as Error).message)
    }
    clock.now -= 200_000
    expect(words.size).toBe(1)
  })

  it('refuses another secret, nonsense, and a payload without or with a short MAC', () => {
    const token = tokenOf(make().sign(capability))
    const payload = token.split('.')[0]
    expect(() => make('another secret, of the same length as it').verify(token)).toThrow(refused)
    for (const bad of [
      '',
      '.',
      'a',
      'a.b',
      `${payload}`,
      `${payload}.`,
      `${payload}.AAAA`,
      `.${token.split('.')[1]}`,
      `${token}.x`,
      `x${token}`,
    ])
      expect(() => make().verify(bad)).toThrow(refused)
  })

  it('never throws anything but the refusal', () => {
    const capabilities = make()
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'.aA_-=/+\0é\ud800') })), (token) => {
        expect(() => capabilities.verify(token)).toThrow(refused)
      }),
    )
  })

  it('ends at the second of its expiry', () => {
    const token = tokenOf(make().sign(capability))
    const before = clock.now
    clock.now = capability.expires * 1000 - 1
    expect(make().verify(token)).toEqual(capability)
    clock.now += 1
    expect(() => make().verify(token)).toThrow(refused)
    clock.now = before
  })
})

describe('transfer URLs', () => {
  it('are good for their own purpose only', async () => {
    const registry = await createTestRegistry()
    const bytes = Buffer.from('not a SIF file, but bytes')
    await push(registry, 'alice/tools/bwa', bytes)
    const other = Buffer.from('other bytes')
    const { imageId } = await makeImage(registry, { path: 'alice/tools/bwa', hash: hashOf(other) })
    const start = await registry.call('POST', `/v2/imagefile/${imageId}`, {
      token: 'alice',
      body: { filesize: other.length, sha256sum: sha256(other) },
    })
    const putUrl: string = start.json.data.uploadURL
    const getUrl = (await registry.call('GET', '/v1/imagefile/alice/tools/bwa:latest')).headers.location ?? ''
    expect((await registry.call('GET', putUrl)).status).toBe(403)
    expect((await registry.call('PUT', getUrl, { body: bytes })).status).toBe(403)
    expect((await registry.call('GET', getUrl)).bytes.equals(bytes)).toBe(true)
    await registry.close()
  })

  it('end with presignSeconds', async () => {
    const registry = await createTestRegistry({ library: { limits: { presignSeconds: 60 } } })
    await push(registry, 'alice/tools/bwa', Buffer.from('bytes'))
    const url = (await registry.call('GET', '/v1/imagefile/alice/tools/bwa:latest')).headers.location ?? ''
    expect((await registry.call('GET', url)).status).toBe(200)
    registry.advance(61_000)
    expect((await registry.call('GET', url)).status).toBe(403)
    await registry.close()
  })
})
