import { assert } from '../assert.js'
import type { MetadataGroup } from './context.js'

export const documentTests: MetadataGroup = {
  name: 'documents',
  tests: {
    'put makes a document once, get returns it as it was given': async ({ store: { documents } }) => {
      const value = { text: 'ä\u2028"', list: [1, null, { deep: true }], none: null }
      assert.equal(await documents.get('feed', 'entry', 'a'), undefined)
      const version = await documents.put('feed', 'entry', 'a', { value, index: 'alice', now: 5 })
      assert.ok(version !== undefined)
      assert.equal(await documents.put('feed', 'entry', 'a', { value: 'other', now: 6 }), undefined)
      assert.deepEqual(await documents.get('feed', 'entry', 'a'), {
        ...{ kind: 'entry', id: 'a', version, index: 'alice', value, updatedAt: 5 },
      })
    },
    'put with a version writes over that version only': async ({ store: { documents } }) => {
      const first = await documents.put('feed', 'entry', 'a', { value: 1, index: 'x', now: 1 })
      const second = await documents.put('feed', 'entry', 'a', { value: 2, expected: first ?? 0, now: 2 })
      assert.ok(second !== undefined && second !== first)
      assert.equal(await documents.put('feed', 'entry', 'a', { value: 3, expected: first ?? 0, now: 3 }), undefined)
      assert.equal(await documents.put('feed', 'entry', 'b', { value: 3, expected: second, now: 3 }), undefined)
      const found = await documents.get('feed', 'entry', 'a')
      assert.deepEqual([found?.value, found?.version, found?.index, found?.updatedAt], [2, second, null, 2])
    },
    'a document that was deleted and made anew has a version of its own': async ({ store: { documents } }) => {
      const first = await documents.put('feed', 'entry', 'a', { value: 1, now: 1 })
      assert.equal(await documents.delete('feed', 'entry', 'a', (first ?? 0) + 1), false)
      assert.equal(await documents.delete('feed', 'entry', 'a', first), true)
      assert.equal(await documents.delete('feed', 'entry', 'a'), false)
      await documents.put('feed', 'entry', 'a', { value: 2, now: 2 })
      assert.equal(await documents.put('feed', 'entry', 'a', { value: 3, expected: first ?? 0, now: 3 }), undefined)
      assert.equal(await documents.delete('feed', 'entry', 'a', first), false)
      assert.equal(await documents.delete('feed', 'entry', 'a'), true)
    },
    'extensions and kinds do not see each other': async ({ store: { documents } }) => {
      for (const [extension, kind] of [
        ['feed', 'entry'],
        ['feed', 'state'],
        ['oci', 'entry'],
      ] as const)
        await documents.put(extension, kind, 'a', { value: `${extension} ${kind}`, now: 1 })
      assert.equal(await documents.delete('oci', 'state', 'a'), false)
      assert.equal(await documents.delete('oci', 'entry', 'a'), true)
      assert.deepEqual(
        (await documents.list('feed', 'entry', { limit: 10 })).map(({ value }) => value),
        ['feed entry'],
      )
      assert.deepEqual(await documents.list('oci', 'entry', { limit: 10 }), [])
    },
    'list goes by id, both ways, page by page, also of one index': async ({ store: { documents } }) => {
      // by bytes: upper case before lower case, whatever the language of the database
      const ids = ['B', 'a', 'b', 'ä']
      for (const id of ['b', 'ä', 'a', 'B'])
        await documents.put('feed', 'entry', id, { value: id, index: id === 'b' ? null : 'x', now: 1 })
      const list = async (page: Parameters<typeof documents.list>[2]): Promise<readonly string[]> =>
        (await documents.list('feed', 'entry', page)).map(({ id }) => id)
      assert.deepEqual(await list({ limit: 10 }), ids)
      assert.deepEqual(await list({ limit: 2 }), ['B', 'a'])
      assert.deepEqual(await list({ limit: 2, after: 'a' }), ['b', 'ä'])
      assert.deepEqual(await list({ limit: 10, newestFirst: true }), [...ids].reverse())
      assert.deepEqual(await list({ limit: 2, newestFirst: true, after: 'ä' }), ['b', 'a'])
      assert.deepEqual(await list({ limit: 10, index: 'x' }), ['B', 'a', 'ä'])
      assert.deepEqual(await list({ limit: 1, index: 'x', after: 'B' }), ['a'])
      assert.deepEqual(await list({ limit: 10, index: 'nothing' }), [])
      assert.deepEqual(await list({ limit: 0 }), [])
    },
    'of two writers of one version one wins': async (context) => {
      const one = context.store.documents
      const two = (context.instances.at(-1) ?? context.store).documents
      for (let round = 0; round < 10; round += 1) {
        const id = `race-${round}`
        const made = await Promise.all([
          one.put('feed', 'entry', id, { value: 'one', now: 1 }),
          two.put('feed', 'entry', id, { value: 'two', now: 1 }),
        ])
        assert.equal(made.filter((version) => version !== undefined).length, 1)
        const before = made.find((version) => version !== undefined) ?? 0
        const changed = await Promise.all([
          one.put('feed', 'entry', id, { value: 'one', expected: before, now: 2 }),
          two.put('feed', 'entry', id, { value: 'two', expected: before, now: 2 }),
          two.delete('feed', 'entry', id, before),
        ])
        assert.equal(changed.filter((outcome) => outcome !== undefined && outcome !== false).length, 1)
      }
    },
  },
}
