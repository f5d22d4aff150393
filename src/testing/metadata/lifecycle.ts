import type { MetadataStore } from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataGroup } from './context.js'

const refused = { name: 'MetadataError', code: 'closed' }

export const lifecycleTests: MetadataGroup = {
  name: 'ready, check and close',
  tests: {
    'ready again is no harm, and check answers': async (context) => {
      const { store } = context
      const entity = await context.entity()
      await Promise.all(context.instances.map((instance) => instance.ready()))
      assert.deepEqual(await store.entities.find(entity.id), entity)
      const check = await store.check()
      assert.equal(check.ok, true, check.message)
      assert.notEqual(check.message, '')
      assert.notEqual(store.name, '')
    },
  },
}

export const secondTests: MetadataGroup = {
  name: 'a second instance over the same database',
  needs: 'second',
  tests: {
    'sees what the first one wrote, at once': async (context) => {
      const [first, second] = context.instances as [MetadataStore, MetadataStore]
      const place = await context.place({ container: 'shared' })
      const image = await context.publish(place, { tags: ['latest'] })
      assert.deepEqual(await second.images.find(image.id), await first.images.find(image.id))
      assert.equal((await second.search({ value: 'shared', visibility: 'all', limit: 5 })).images.length, 1)
      await second.images.delete(image.id, 900)
      assert.equal(await first.images.find(image.id), undefined)
      assert.equal((await first.search({ value: 'shared', visibility: 'all', limit: 5 })).images.length, 0)
    },
    'closed instances refuse and say so': async (context) => {
      const [first, second] = context.instances as [MetadataStore, MetadataStore]
      const entity = await context.entity()
      await Promise.all([second.close(), second.close()])
      await assert.rejects(second.entities.find(entity.id), refused)
      await assert.rejects(second.ready(), refused)
      await assert.rejects(second.settings.getOrSet('a', 'b'), refused)
      assert.equal((await second.check()).ok, false)
      assert.deepEqual(await first.entities.find(entity.id), entity)
    },
  },
}

/** Half a surrogate pair and NUL: text that a database may be unable to hold. */
const odd = ['a\0b', '\0', '\ud800', 'x\udc00y']

export const textTests: MetadataGroup = {
  name: 'text',
  tests: {
    'unicode and quotes come back as they were given': async (context) => {
      const { store } = context
      for (const text of [
        `'; DROP TABLE entities; --`,
        '"`$1?%_\\',
        'Ångström 日本語 😀',
        ' \t\r\n ',
        'e\u0301',
        '\u0001\u001f\u007f\ufffe\uffff',
        '',
      ]) {
        const { record: entity } = await store.entities.createIfAbsent({
          ...{ id: context.id(), name: `n${text}`, description: text, defaultPrivate: false, owner: text, now: 1 },
        })
        assert.deepEqual([entity.name, entity.description, entity.owner], [`n${text}`, text, text])
        assert.deepEqual(await store.entities.findByName(`n${text}`), entity)
        const place = await context.place({ entity: `n${text}`, collection: `c${text}`, container: `k${text}` })
        const image = await context.publish(place, {
          description: text,
          tags: [`t${text}`],
          fingerprints: [text],
          arch: `a${text}`,
        })
        assert.deepEqual([image.description, image.fingerprints], [text, [text]])
        const found = await store.images.findByPath(context.pathOf(place), { tag: `t${text}`, arch: `a${text}` })
        assert.deepEqual(found, { image, container: place.container })
      }
    },
    'names that differ in case or normal form are different names': async (context) => {
      const names = ['name', 'Name', 'é', 'e\u0301', 'ﬁ', 'fi']
      for (const name of names) assert.equal((await context.entity(name)).name, name)
      assert.equal((await context.store.entities.list({ limit: 100 })).length, names.length)
    },
    'NUL and lone surrogates are kept, replaced or refused, and break nothing': async (context) => {
      const { store } = context
      for (const text of odd) {
        const given = {
          id: context.id(),
          name: `n-${text}-${context.id()}`,
          description: text,
          defaultPrivate: false,
          owner: text,
          now: 1,
        }
        const record = await store.entities.createIfAbsent(given).then(
          (result) => result.record,
          (error) => assert.equal(error.name, 'MetadataError', String(error)),
        )
        if (record) assert.deepEqual(await store.entities.findByName(record.name), record)
        assert.equal(await store.images.find(text), undefined)
        assert.equal(
          await store.images.findByPath({ entity: text, collection: text, container: text }, { tag: text, arch: text }),
          undefined,
        )
        assert.equal(await store.accounts.findToken(text), undefined)
        assert.equal(await store.accounts.findUser(text), undefined)
        assert.equal(await store.uploads.move(text, 'open', 'aborted', 1), false)
        assert.equal(await store.blobs.forgetIfUnreferenced(text), false)
      }
      assert.equal((await store.check()).ok, true)
    },
    'very long descriptions are kept whole; very long names are kept or refused': async (context) => {
      const { store } = context
      const long = 'long text '.repeat(50_000)
      const place = await context.place({ container: 'longish', description: long })
      assert.equal(place.container.description, long)
      const image = await context.publish(place, { description: long, tags: ['latest'] })
      assert.equal(image.description, long)
      assert.equal((await store.search({ value: 'longish', visibility: 'all', limit: 5 })).images.length, 1)
      // not compressible, so that no database makes it short
      const name = Array.from({ length: 20_000 }, (_, index) =>
        String.fromCodePoint(0x4e00 + ((index * 7919) % 20_000)),
      ).join('')
      const entity = { id: context.id(), name, description: '', defaultPrivate: false, owner: null, now: 1 }
      await store.entities
        .createIfAbsent(entity)
        .catch((error) => assert.equal(error.name, 'MetadataError', String(error)))
      assert.ok([undefined, name].includes((await store.entities.findByName(name))?.name))
      assert.equal(
        await store.images.findByPath({ entity: name, collection: name, container: name }, { tag: name, arch: name }),
        undefined,
      )
    },
    'numbers keep every digit up to 2^53': async (context) => {
      const { store } = context
      const place = await context.place()
      const big = Number.MAX_SAFE_INTEGER
      assert.equal((await store.entities.update(place.entity.id, { quotaBytes: big, now: big }))?.quotaBytes, big)
      const image = await context.publish(place, { size: big - 1 })
      assert.equal(image.size, big - 1)
      assert.equal((await store.entities.find(place.entity.id))?.usedBytes, big - 1)
      assert.equal((await store.entities.find(place.entity.id))?.updatedAt, big)
    },
  },
}
