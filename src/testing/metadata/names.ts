import { assert } from '../assert.js'
import type { MetadataGroup } from './context.js'

export const entityTests: MetadataGroup = {
  name: 'entities',
  tests: {
    'createIfAbsent creates once, and returns what is there unchanged': async ({ store }) => {
      const entity = {
        id: '0'.repeat(24),
        name: 'alice',
        description: 'first',
        defaultPrivate: true,
        owner: 'p1',
        now: 5,
      }
      const expected = {
        ...{
          id: entity.id,
          name: 'alice',
          description: 'first',
          defaultPrivate: true,
          quotaBytes: null,
          usedBytes: 0,
          reservedBytes: 0,
          owner: 'p1',
        },
        ...{ createdAt: 5, updatedAt: 5 },
      }
      assert.deepEqual(await store.entities.createIfAbsent(entity), { record: expected, created: true })
      const again = {
        id: '1'.repeat(24),
        name: 'alice',
        description: 'second',
        defaultPrivate: false,
        owner: 'p2',
        now: 9,
      }
      assert.deepEqual(await store.entities.createIfAbsent(again), { record: expected, created: false })
      assert.deepEqual(await store.entities.find(entity.id), expected)
      assert.deepEqual(await store.entities.findByName('alice'), expected)
      assert.equal(await store.entities.find(again.id), undefined)
      assert.equal(await store.entities.findByName('Alice'), undefined, 'names are compared exactly')
    },
    'createIfAbsent refuses an id that another record has': async ({ store }) => {
      const entity = { id: '0'.repeat(24), name: 'alice', description: '', defaultPrivate: false, owner: null, now: 1 }
      await store.entities.createIfAbsent(entity)
      await assert.rejects(store.entities.createIfAbsent({ ...entity, name: 'bob' }), {
        name: 'MetadataError',
        code: 'exists',
      })
      assert.equal(await store.entities.findByName('bob'), undefined)
    },
    'update changes the given members only': async (context) => {
      const { store } = context
      const entity = await context.entity('alice')
      const [first, second, third, last] = [context.now(), context.now(), context.now(), context.now()]
      assert.deepEqual(await store.entities.update(entity.id, { quotaBytes: 7, now: first }), {
        ...entity,
        quotaBytes: 7,
        updatedAt: first,
      })
      assert.deepEqual(await store.entities.update(entity.id, { defaultPrivate: true, now: second }), {
        ...{ ...entity, quotaBytes: 7, defaultPrivate: true, updatedAt: second },
      })
      assert.deepEqual(await store.entities.update(entity.id, { quotaBytes: 0, defaultPrivate: false, now: third }), {
        ...{ ...entity, quotaBytes: 0, updatedAt: third },
      })
      assert.deepEqual(await store.entities.update(entity.id, { quotaBytes: null, now: last }), {
        ...entity,
        updatedAt: last,
      })
      assert.equal(await store.entities.update(context.id(), { quotaBytes: 7, now: 1 }), undefined)
      assert.deepEqual(await store.entities.find(entity.id), { ...entity, updatedAt: last })
    },
    'a change is later than the one before, also by a clock that is behind': async (context) => {
      const { store } = context
      const { entity, collection, container } = await context.place()
      assert.equal(
        (await store.entities.update(entity.id, { defaultPrivate: true, now: 5 }))?.updatedAt,
        entity.updatedAt + 1,
      )
      assert.equal(
        (await store.collections.update(collection.id, { private: true, now: collection.updatedAt }))?.updatedAt,
        collection.updatedAt + 1,
      )
      assert.equal(
        (await store.containers.update(container.id, { private: true, now: 0 }))?.updatedAt,
        container.updatedAt + 1,
      )
      assert.equal(
        (await store.containers.update(container.id, { private: false, now: 0 }))?.updatedAt,
        container.updatedAt + 2,
      )
    },
    'list walks by name': async (context) => {
      for (const name of ['b', 'a', 'c-1', 'c', 'c.1', 'c_1']) await context.entity(name)
      const names = async (page: { after?: string; limit: number }) =>
        (await context.store.entities.list(page)).map((entity) => entity.name)
      assert.deepEqual(await names({ limit: 3 }), ['a', 'b', 'c'])
      assert.deepEqual(await names({ after: 'c', limit: 10 }), ['c-1', 'c.1', 'c_1'])
      assert.deepEqual(await names({ after: 'c_1', limit: 10 }), [])
      assert.deepEqual(await names({ limit: 0 }), [])
    },
  },
}

export const collectionTests: MetadataGroup = {
  name: 'collections',
  tests: {
    'listOf walks the collections of one entity by name': async (context) => {
      const { entity } = await context.place({ entity: 'alice', collection: 'b' })
      await context.place({ entity: 'alice', collection: 'a' })
      await context.place({ entity: 'alice', collection: 'c' })
      await context.place({ entity: 'bob', collection: 'ab' })
      const names = async (page: { after?: string; limit: number }) =>
        (await context.store.collections.listOf(entity.id, page)).map(({ name }) => name)
      assert.deepEqual(await names({ limit: 2 }), ['a', 'b'])
      assert.deepEqual(await names({ after: 'b', limit: 2 }), ['c'])
    },
    'createIfAbsent creates once per entity': async (context) => {
      const { store } = context
      const alice = await context.entity('alice')
      const bob = await context.entity('bob')
      const collection = {
        id: context.id(),
        entityId: alice.id,
        name: 'tools',
        description: 'd',
        private: true,
        owner: 'p1',
        now: 5,
      }
      const expected = {
        ...{
          id: collection.id,
          entityId: alice.id,
          entityName: 'alice',
          name: 'tools',
          description: 'd',
          private: true,
          owner: 'p1',
          createdAt: 5,
          updatedAt: 5,
        },
      }
      assert.deepEqual(await store.collections.createIfAbsent(collection), { record: expected, created: true })
      assert.deepEqual(
        await store.collections.createIfAbsent({ ...collection, id: context.id(), private: false, now: 9 }),
        {
          record: expected,
          created: false,
        },
      )
      assert.equal(
        (await store.collections.createIfAbsent({ ...collection, id: context.id(), entityId: bob.id })).created,
        true,
      )
      assert.deepEqual(await store.collections.find(collection.id), expected)
      assert.deepEqual(await store.collections.findByPath('alice', 'tools'), expected)
      assert.equal(await store.collections.find(context.id()), undefined)
      assert.equal(await store.collections.findByPath('alice', 'nothing'), undefined)
    },
    'createIfAbsent throws parent-missing without the entity': async (context) => {
      const collection = {
        id: context.id(),
        entityId: context.id(),
        name: 'tools',
        description: '',
        private: false,
        owner: null,
        now: 1,
      }
      await assert.rejects(context.store.collections.createIfAbsent(collection), {
        name: 'MetadataError',
        code: 'parent-missing',
      })
    },
    'update of private shows in the collection and in its containers': async (context) => {
      const { store } = context
      const { collection, container } = await context.place()
      const other = await context.place()
      const now = context.now()
      assert.deepEqual(await store.collections.update(collection.id, { private: true, now: now }), {
        ...collection,
        private: true,
        updatedAt: now,
      })
      assert.deepEqual(await store.containers.find(container.id), { ...container, collectionPrivate: true })
      assert.equal((await store.containers.find(other.container.id))?.collectionPrivate, false)
      const late = await store.containers.createIfAbsent({
        ...{
          id: context.id(),
          collectionId: collection.id,
          name: 'late',
          description: '',
          private: false,
          owner: null,
          now: 80,
        },
      })
      assert.equal(late.record.collectionPrivate, true)
      assert.equal(
        (await store.collections.update(collection.id, { private: false, now: context.now() }))?.private,
        false,
      )
      assert.equal((await store.containers.find(late.record.id))?.collectionPrivate, false)
      assert.equal(await store.collections.update(context.id(), { private: true, now: 1 }), undefined)
    },
  },
}

export const containerTests: MetadataGroup = {
  name: 'containers',
  tests: {
    'listOf walks the containers of one collection by name': async (context) => {
      const { collection } = await context.place({ entity: 'alice', collection: 'tools', container: 'b' })
      for (const container of ['c', 'a']) await context.place({ entity: 'alice', collection: 'tools', container })
      await context.place({ entity: 'alice', collection: 'other', container: 'ab' })
      const names = async (page: { after?: string; limit: number }) =>
        (await context.store.containers.listOf(collection.id, page)).map(({ name }) => name)
      assert.deepEqual(await names({ limit: 2 }), ['a', 'b'])
      assert.deepEqual(await names({ after: 'b', limit: 2 }), ['c'])
    },
    'createIfAbsent creates once per collection': async (context) => {
      const { store } = context
      const { entity, collection } = await context.place({ entity: 'alice', collection: 'tools' })
      const container = {
        id: context.id(),
        collectionId: collection.id,
        name: 'bwa',
        description: 'd',
        private: true,
        owner: 'p1',
        now: 5,
      }
      const expected = {
        ...{
          id: container.id,
          entityId: entity.id,
          entityName: 'alice',
          collectionId: collection.id,
          collectionName: 'tools',
          name: 'bwa',
          description: 'd',
        },
        ...{ private: true, collectionPrivate: false, downloadCount: 0, owner: 'p1', createdAt: 5, updatedAt: 5 },
      }
      assert.deepEqual(await store.containers.createIfAbsent(container), { record: expected, created: true })
      assert.deepEqual(
        await store.containers.createIfAbsent({ ...container, id: context.id(), private: false, now: 9 }),
        { record: expected, created: false },
      )
      const { collection: other } = await context.place({ entity: 'alice', collection: 'other' })
      assert.equal(
        (await store.containers.createIfAbsent({ ...container, id: context.id(), collectionId: other.id })).created,
        true,
      )
      assert.deepEqual(await store.containers.find(container.id), expected)
      assert.deepEqual(
        await store.containers.findByPath({ entity: 'alice', collection: 'tools', container: 'bwa' }),
        expected,
      )
      assert.equal(
        await store.containers.findByPath({ entity: 'bob', collection: 'tools', container: 'bwa' }),
        undefined,
      )
      assert.equal(await store.containers.find(context.id()), undefined)
    },
    'createIfAbsent throws parent-missing without the collection': async (context) => {
      const container = {
        id: context.id(),
        collectionId: context.id(),
        name: 'bwa',
        description: '',
        private: false,
        owner: null,
        now: 1,
      }
      await assert.rejects(context.store.containers.createIfAbsent(container), {
        name: 'MetadataError',
        code: 'parent-missing',
      })
    },
    'update of private changes the flag of this container only': async (context) => {
      const { store } = context
      const { container } = await context.place({ entity: 'alice', container: 'one' })
      const { container: other } = await context.place({ entity: 'alice', container: 'two' })
      const now = context.now()
      assert.deepEqual(await store.containers.update(container.id, { private: true, now: now }), {
        ...container,
        private: true,
        updatedAt: now,
      })
      assert.deepEqual(await store.containers.find(other.id), other)
      assert.equal(await store.containers.update(context.id(), { private: true, now: 1 }), undefined)
    },
  },
}
