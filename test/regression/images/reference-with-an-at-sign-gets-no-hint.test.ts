/** Who comes from an OCI registry writes `NAME@sha256.…`; the answer talked of letters and digits. */
import { afterEach, expect, it } from 'vitest'
import { push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry } from '../../support/registry.js'

const hex = 'ab'.repeat(32)
let registry: TestRegistry
afterEach(() => registry.close())

it('is answered with the form that works', async () => {
  registry = await createTestRegistry()
  const { hash } = await push(registry, 'alice/tools/bwa', Buffer.from('some bytes'))
  const messageOf = async (reference: string): Promise<string> => {
    const path = `/v1/images/${reference.split('/').map(encodeURIComponent).join('/')}`
    const { status, json } = await registry.call('GET', `${path}?arch=amd64`)
    expect(status).toBe(400)
    return json.error.message
  }
  const works = `an image is named by its hash behind a colon, not an @: library://alice/tools/bwa:${hash}`
  const digest = hash.slice('sha256.'.length)
  for (const written of [
    `alice/tools/bwa@${hash}`,
    // the client appends a tag where it sees none
    `alice/tools/bwa@${hash}:latest`,
    `alice/tools/bwa@sha256:${digest}`,
    `alice/tools/bwa@sha256:${digest.toUpperCase()}`,
    `alice/tools/bwa:1.0@sha256:${digest}`,
  ])
    expect(await messageOf(written), written).toBe(works)
  // what it names is an answer
  const named = works.slice(works.indexOf('://') + 3)
  expect((await registry.call('GET', `/v1/images/${named}?arch=amd64`)).status).toBe(200)

  expect(await messageOf('alice/tools/bwa@sha256.abc')).toContain('alice/tools/bwa:sha256.<64 lower-case hex digits>')
  expect(await messageOf(`bwa@sha256.${hex}`)).toContain(`library://bwa:sha256.${hex}`)
  expect(await messageOf(`alice/tools/\u001b[31mbwa@sha256.${hex}`)).toContain(`library://NAME:sha256.${hex}`)
  expect(await messageOf('alice/tools/bwa@home')).toContain('is no valid name')
})
