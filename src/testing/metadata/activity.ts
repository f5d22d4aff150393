import type { Activity, EventQuery, EventRecord, MetadataStore, TagCause } from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup } from './context.js'

const by = (name: string, more: Partial<Activity> = {}): Activity => ({
  actor: { id: `id-${name}`, name, via: 'token', tokenId: 't1' },
  requestId: 'r1',
  ...more,
})

const dayMs = 86_400_000

async function eventsOf(context: MetadataContext, query: Partial<EventQuery> = {}): Promise<readonly EventRecord[]> {
  return context.walk((cursor) =>
    context.store.events.page({ limit: 2, ...query, ...(cursor === undefined ? {} : { after: cursor }) }),
  )
}

const actions = (events: readonly EventRecord[]): readonly string[] => events.map(({ action }) => action).reverse()

export const historyTests: MetadataGroup = {
  name: 'tag history',
  tests: {
    'every change of a tag is written down, with who, how, and what it pointed at before': async (context) => {
      const { store } = context
      const place = await context.place()
      const [one, two] = [await context.publish(place), await context.publish(place)]
      const containerId = place.container.id
      const set = (imageId: string, cause?: TagCause) =>
        store.tags.set({
          ...{ containerId, arch: 'amd64', tag: 'v', imageId, now: context.now() },
          ...(cause === undefined ? {} : { activity: by('ann', { cause }) }),
        })
      await set(one.id, 'push')
      await set(one.id, 'push')
      await set(two.id)
      await set(one.id, 'rollback')
      await store.tags.remove({
        ...{
          containerId,
          arch: 'amd64',
          tag: 'v',
          imageId: one.id,
          keepImage: true,
          now: context.now(),
          activity: by('bob'),
        },
      })
      const shown = (await store.containers.history(containerId, { limit: 9 })).map(
        ({ by: who, digest, previous, via, present }) => [who.name, digest, previous, via, present],
      )
      assert.deepEqual(shown, [
        ['bob', null, one.digest, 'delete', false],
        ['ann', one.digest, two.digest, 'rollback', true],
        [null, two.digest, one.digest, 'api', true],
        ['ann', one.digest, null, 'push', true],
      ])
    },
    'it stays when the image goes, and says so; pages and filters': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place, { tags: ['a', 'b'] })
      await context.publish(place, { arch: 'arm64', tags: ['a'] })
      const containerId = place.container.id
      assert.equal(await store.images.delete(image.id, context.now(), by('ann')), true)
      const walk = async (filter: { tag?: string; arch?: string }) => {
        const found: string[] = []
        let before: number | undefined
        for (;;) {
          const page = await store.containers.history(containerId, {
            ...filter,
            limit: 2,
            ...(before === undefined ? {} : { before }),
          })
          found.push(
            ...page.map(({ tag, arch, digest, present }) => `${tag} ${arch} ${digest === null ? 'gone' : present}`),
          )
          before = page.at(-1)?.seq
          if (before === undefined) return found
        }
      }
      assert.deepEqual([...(await walk({ tag: 'a', arch: 'amd64' }))], ['a amd64 gone', 'a amd64 false'])
      assert.deepEqual(await walk({ tag: 'a', arch: 'arm64' }), ['a arm64 true'])
      assert.equal((await walk({ tag: 'a' })).length, 3)
      assert.equal((await walk({})).length, 5)
      assert.deepEqual(await store.containers.history(context.id(), { limit: 9 }), [])
    },
    'of racing writers each is written down with what it replaced': async (context) => {
      const place = await context.place()
      const images = [await context.publish(place), await context.publish(place), await context.publish(place)]
      const containerId = place.container.id
      await context.race(12, (store: MetadataStore, caller) =>
        store.tags.set({ containerId, arch: 'amd64', tag: 'v', imageId: images[caller % 3]?.id ?? '', now: 1 }),
      )
      const history = [...(await context.store.containers.history(containerId, { limit: 99 }))].reverse()
      let before: string | null = null
      for (const { digest, previous } of history) {
        assert.equal(previous, before)
        assert.notEqual(digest, previous)
        before = digest
      }
      const tag = await context.store.tags.find(containerId, 'amd64', 'v')
      assert.equal(tag?.image.digest, before)
    },
  },
}

export const eventTests: MetadataGroup = {
  name: 'events',
  tests: {
    'each change is told, with who, where and what': async (context) => {
      const { store } = context
      const activity = by('ann')
      const common = { description: '', owner: null, now: context.now(), activity }
      const { record: entity } = await store.entities.createIfAbsent({
        ...common,
        id: context.id(),
        name: 'ent',
        defaultPrivate: false,
      })
      const { record: collection } = await store.collections.createIfAbsent({
        ...{ ...common, id: context.id(), entityId: entity.id, name: 'col', private: false },
      })
      const { record: container } = await store.containers.createIfAbsent({
        ...{ ...common, id: context.id(), collectionId: collection.id, name: 'con', private: false },
      })
      await store.containers.createIfAbsent({
        ...common,
        id: context.id(),
        collectionId: collection.id,
        name: 'con',
        private: false,
      })
      const place = { entity, collection, container }
      const image = await context.image(container)
      const upload = await store.uploads.create({ ...context.newUpload(image, place), activity })
      await store.uploads.move(upload.id, 'open', 'completing', 1, undefined, activity)
      const blob = context.facts(upload.key)
      const publishing = { imageId: image.id, uploadId: upload.id, blob, state: 'published', now: 5, activity } as const
      await store.images.publish(publishing)
      await store.images.publish(publishing)
      const tag = { containerId: container.id, arch: 'amd64', tag: 'v', imageId: image.id, now: 6, activity }
      await store.tags.set(tag)
      await store.tags.set(tag)
      const other = await store.uploads.create({ ...context.newUpload(image, place), activity })
      await store.uploads.move(other.id, 'open', 'expired', 7, undefined, {
        actor: { id: null, name: null, via: 'system' },
      })
      await store.images.update(image.id, { description: 'new', now: 8, activity })
      await store.containers.update(container.id, { description: 'new', now: 8, activity })
      await store.collections.update(collection.id, { private: true, now: 8, activity })
      await store.entities.update(entity.id, { description: 'new', now: 8, activity })
      await store.entities.update(entity.id, { quotaBytes: 5, now: 8, activity })
      await store.images.setState(image.id, ['published'], 'damaged', 9, undefined, activity)
      await store.images.setState(image.id, ['published'], 'damaged', 9, undefined, activity)
      await store.tags.remove({ ...tag, activity })
      const events = await eventsOf(context)
      assert.deepEqual(actions(events), [
        ...['entity.created', 'collection.created', 'container.created', 'upload.started', 'upload.completed'],
        ...['image.published', 'tag.moved', 'upload.started', 'upload.aborted', 'image.changed', 'container.changed'],
        ...['collection.changed', 'entity.changed', 'quota.changed', 'image.damaged', 'tag.removed', 'image.deleted'],
      ])
      const moved = events.find(({ action }) => action === 'tag.moved')
      assert.deepEqual(
        { ...moved, seq: 0 },
        {
          ...{
            seq: 0,
            at: 6,
            action: 'tag.moved',
            path: 'ent/col/con',
            entityId: entity.id,
            containerId: container.id,
          },
          ...{ digest: image.digest, tag: 'v', arch: 'amd64', requestId: 'r1', details: { previous: null } },
          actor: { id: 'id-ann', name: 'ann', via: 'token', tokenId: 't1' },
        },
      )
      assert.equal((await store.containers.findSummary(container.id))?.changedBy, 'ann')
    },
    'a change that did not happen, or that nobody is said to make, is not told': async (context) => {
      const { store } = context
      const place = await context.place()
      const image = await context.publish(place, { tags: ['t'] })
      const tag = {
        containerId: place.container.id,
        arch: 'amd64',
        tag: 't',
        imageId: image.id,
        now: 1,
        activity: by('ann'),
      }
      await store.tags.set({ ...tag, tag: 'u', expected: image.digest })
      await assert.rejects(store.tags.set({ ...tag, imageId: context.id() }))
      await store.entities.update(context.id(), { description: '', now: 1, activity: by('ann') })
      await store.images.delete(context.id(), 1, by('ann'))
      const quota = { ...context.newUpload(image, place, 500), defaultQuotaBytes: 10, activity: by('ann') }
      await assert.rejects(store.uploads.create(quota), { code: 'quota-exceeded' })
      assert.deepEqual(await eventsOf(context), [])
    },
    'filters, pages and the list of those behind a number': async (context) => {
      const { store } = context
      const places = [
        { entityId: 'e1', containerId: 'c1', path: 'one' },
        { entityId: 'e1', containerId: 'c2', path: 'two' },
        { entityId: 'e2', path: 'three' },
      ]
      const hour = 3_600_000
      for (let number = 0; number < 24; number += 1) {
        const activity =
          number % 4 === 3
            ? ({ actor: { id: null, name: null, via: 'system' } } as const)
            : by(number % 2 === 0 ? 'ann' : 'bob')
        const action = number % 5 === 0 ? 'policy.ran' : 'member.changed'
        await store.events.append({ action, at: number * hour, activity, ...places[number % 3] })
      }
      const all = await eventsOf(context)
      assert.deepEqual(
        all.map(({ at }) => at / hour),
        Array.from({ length: 24 }, (_, number) => 23 - number),
      )
      const numbers = async (query: Partial<EventQuery>) =>
        (await eventsOf(context, query)).map(({ at }) => at / hour).reverse()
      const expected = (passes: (number: number) => boolean) =>
        Array.from({ length: 24 }, (_, number) => number).filter(passes)
      assert.deepEqual(
        await numbers({ entityId: 'e1' }),
        expected((number) => number % 3 !== 2),
      )
      assert.deepEqual(
        await numbers({ containerId: 'c2' }),
        expected((number) => number % 3 === 1),
      )
      assert.deepEqual(await numbers({ containerId: 'c2', entityId: 'e2' }), [])
      assert.deepEqual(
        await numbers({ actor: 'ann', entityId: 'e2' }),
        expected((number) => number % 2 === 0 && number % 3 === 2),
      )
      assert.deepEqual(
        await numbers({ actions: ['policy.ran'] }),
        expected((number) => number % 5 === 0),
      )
      assert.deepEqual(
        await numbers({ withoutSystem: true }),
        expected((number) => number % 4 !== 3),
      )
      assert.deepEqual(await numbers({ from: 5 * hour, to: 9 * hour }), [5, 6, 7, 8])
      assert.deepEqual(await numbers({ from: 22 * hour }), [22, 23])
      assert.deepEqual(await numbers({ from: 99 * hour }), [])
      assert.deepEqual(await numbers({ to: 0 }), [])
      const seqs = [...all].reverse().map(({ seq }) => seq)
      assert.deepEqual(
        (await store.events.listAfter(seqs[4] ?? 0, 3)).map(({ seq }) => seq),
        seqs.slice(5, 8),
      )
      assert.equal(await store.events.forget(20 * hour), 20)
      assert.deepEqual(await numbers({}), [20, 21, 22, 23])
      await store.events.append({ action: 'sweep.ran', at: 1, activity: by('ann', { details: { freed: 1 } }) })
      const [last] = await eventsOf(context)
      assert.ok((last?.seq ?? 0) > (seqs.at(-1) ?? 0), 'a number that was forgotten never comes again')
      assert.deepEqual(last?.details, { freed: 1 })
    },
  },
}

export const pullTests: MetadataGroup = {
  name: 'pulls and usage by day',
  tests: {
    'pulls are added up by image, container, entity and registry, and by day': async (context) => {
      const { store } = context
      const [one, two] = [await context.place(), await context.place()]
      const images = [await context.publish(one), await context.publish(one), await context.publish(two)]
      const pull = (place: typeof one, image: number, count: number) => ({
        ...{ containerId: place.container.id, imageId: images[image]?.id ?? '', count },
      })
      const noon = 100 * dayMs + dayMs / 2
      await store.pulls.count([pull(one, 0, 2), pull(one, 1, 1), pull(two, 2, 4)], noon)
      await store.pulls.count([pull(one, 0, 3)], noon + 5)
      await store.pulls.count([pull(one, 0, 10)], noon + dayMs)
      await store.pulls.count([{ ...pull(one, 0, 9), containerId: context.id() }], noon)
      await store.pulls.count([], noon)
      const days = async (
        scope: 'image' | 'container' | 'entity' | 'all',
        ids: readonly string[],
        from = 0,
        to = 999,
      ) => (await store.pulls.days({ scope, ids, from, to })).map(({ id, day, pulls }) => [ids.indexOf(id), day, pulls])
      assert.deepEqual(await days('image', [images[0]?.id ?? '']), [
        [0, 100, 5],
        [0, 101, 10],
      ])
      assert.deepEqual(await days('container', [one.container.id, two.container.id], 100, 100), [
        [0, 100, 6],
        [1, 100, 4],
      ])
      assert.deepEqual(await days('entity', [one.entity.id], 101), [[0, 101, 10]])
      assert.deepEqual(await days('all', ['all']), [
        [0, 100, 10],
        [0, 101, 10],
      ])
      assert.equal((await store.containers.find(one.container.id))?.downloadCount, 16)
      const summary = await store.images.findSummary(images[0]?.id ?? '')
      assert.deepEqual([summary?.downloadCount, summary?.lastPulledAt], [15, noon + dayMs])
      assert.equal((await store.containers.findSummary(two.container.id))?.lastPulledAt, noon)
      assert.equal(await store.pulls.forget(101), 5)
      assert.deepEqual(await days('image', [images[0]?.id ?? '']), [[0, 101, 10]])
      assert.deepEqual((await days('entity', [one.entity.id])).length, 2)
    },
    'no caller is lost, and many images are counted at once': async (context) => {
      const place = await context.place()
      const image = await context.publish(place)
      const pull = { containerId: place.container.id, imageId: image.id, count: 3 }
      await context.race(30, (store) => store.pulls.count([pull], 1))
      assert.equal((await context.store.containers.find(place.container.id))?.downloadCount, 90)
      const places = [await context.place(), await context.place(), await context.place()]
      const pulls = await Promise.all(
        places.map(async (each) => ({
          containerId: each.container.id,
          imageId: (await context.publish(each)).id,
          count: 1,
        })),
      )
      await context.race(20, (store, caller) => store.pulls.count(caller % 2 === 0 ? pulls : [...pulls].reverse(), 1))
      for (const each of places)
        assert.equal((await context.store.containers.find(each.container.id))?.downloadCount, 20)
      const many = Array.from({ length: 150 }, () => pull)
      await context.store.pulls.count(many, 1)
      assert.equal((await context.store.containers.find(place.container.id))?.downloadCount, 90 + 450)
    },
    'usage by day is that of the end of the day; the last one before the range comes first': async (context) => {
      const { store } = context
      const place = await context.place()
      const publish = async (at: number, size: number) => {
        const image = await context.image(place.container)
        const upload = await context.completing(image, place, size)
        const blob = context.facts(upload.key, { size })
        await store.images.publish({ imageId: image.id, uploadId: upload.id, blob, state: 'published', now: at })
        return image
      }
      const first = await publish(10 * dayMs, 100)
      await publish(10 * dayMs + 5, 50)
      await publish(12 * dayMs, 7)
      await store.images.delete(first.id, 20 * dayMs)
      const days = async (from: number, to: number) =>
        (await store.usage.days({ entityId: place.entity.id, from, to })).map(({ day, usedBytes, images }) => [
          day,
          usedBytes,
          images,
        ])
      const [ten, twelve, twenty] = [
        [10, 150, 2],
        [12, 157, 3],
        [20, 57, 2],
      ]
      assert.deepEqual(await days(0, 99), [ten, twelve, twenty])
      assert.deepEqual(await days(11, 15), [ten, twelve])
      assert.deepEqual(await days(12, 15), [ten, twelve])
      assert.deepEqual(await days(15, 16), [twelve])
      assert.deepEqual(await days(0, 9), [])
      assert.deepEqual(await store.usage.days({ entityId: context.id(), from: 0, to: 99 }), [])
    },
    'what becomes private leaves the public totals, and comes back': async (context) => {
      const { store } = context
      const place = await context.place()
      await context.publish(place, { size: 40 })
      await context.publish(await context.place({ private: true }), { size: 2 })
      const shown = async () => (await store.usage.totals()).public
      const [one, none] = [
        { containers: 1, images: 1, bytes: 40 },
        { containers: 0, images: 0, bytes: 0 },
      ]
      assert.deepEqual(await shown(), one)
      await store.containers.update(place.container.id, { private: true, now: 1 })
      await store.containers.update(place.container.id, { private: true, now: 1 })
      assert.deepEqual(await shown(), none)
      await store.collections.update(place.collection.id, { private: true, now: 1 })
      await store.containers.update(place.container.id, { private: false, now: 1 })
      assert.deepEqual(await shown(), none)
      await store.collections.update(place.collection.id, { private: true, now: 1 })
      await context.publish(place, { size: 5 })
      await store.collections.update(place.collection.id, { private: false, now: 1 })
      assert.deepEqual(await shown(), { containers: 1, images: 2, bytes: 45 })
      assert.deepEqual((await store.usage.totals()).all, { containers: 2, images: 3, bytes: 47 })
    },
  },
}
