import type { MetadataStore, SearchQuery } from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup } from './context.js'

interface Found {
  readonly entities: readonly string[]
  readonly collections: readonly string[]
  readonly containers: readonly string[]
  readonly images: readonly string[]
}

async function find(store: MetadataStore, value: string, query: Partial<SearchQuery> = {}): Promise<Found> {
  const page = await store.search({ value, visibility: 'all', limit: 100, ...query })
  return {
    entities: page.entities.map(({ name }) => name).sort(),
    collections: page.collections.map(({ entityName, name }) => `${entityName}/${name}`).sort(),
    containers: page.containers.map(({ collectionName, name }) => `${collectionName}/${name}`).sort(),
    images: page.images.map(({ container, tags }) => `${container.name}:${tags.join(',')}`).sort(),
  }
}

const nothing: Found = { entities: [], collections: [], containers: [], images: [] }

const images = async (store: MetadataStore, value: string, query?: Partial<SearchQuery>) =>
  (await find(store, value, query)).images

/** Every page of a search, by following `next`. */
async function walk({ store }: MetadataContext, query: SearchQuery): Promise<string[]> {
  const ids: string[] = []
  for (let after: string | undefined, pages = 0; pages < 100; pages += 1) {
    const page = await store.search(after === undefined ? query : { ...query, after })
    assert.ok(page.images.length <= query.limit)
    ids.push(...page.images.map(({ image }) => image.id))
    if (page.next === undefined) return ids
    after = page.next
  }
  throw new Error('the pages do not end')
}

export const searchTests: MetadataGroup = {
  name: 'search',
  tests: {
    'finds a substring of a name path, a description or a tag, in any case': async (context) => {
      const { store } = context
      const place = await context.place({
        entity: 'alice',
        collection: 'genomics',
        container: 'bwa-mem',
        description: 'Burrows-Wheeler aligner',
      })
      await context.publish(place, { description: 'Fast build', tags: ['v2.1-rc', 'latest'] })
      const image = 'bwa-mem:latest,v2.1-rc'
      assert.deepEqual(await find(store, 'alice'), {
        ...{ entities: ['alice'], collections: ['alice/genomics'], containers: ['genomics/bwa-mem'], images: [image] },
      })
      assert.deepEqual(await find(store, 'CE/GENOM'), {
        ...nothing,
        collections: ['alice/genomics'],
        containers: ['genomics/bwa-mem'],
        images: [image],
      })
      assert.deepEqual(await find(store, 'wa-m'), { ...nothing, containers: ['genomics/bwa-mem'], images: [image] })
      assert.deepEqual(await images(store, 'wheeLER'), [image])
      assert.deepEqual(await find(store, 'fast b'), { ...nothing, images: [image] })
      assert.deepEqual(await find(store, '2.1-RC'), { ...nothing, images: [image] })
      assert.deepEqual(await find(store, 'nowhere'), nothing)
      assert.deepEqual(await find(store, 'alicegenomics'), nothing)
    },
    'gives whole records': async (context) => {
      const place = await context.place({ description: 'needle' })
      const image = await context.publish(place, {
        arch: 'amd64',
        signed: true,
        fingerprints: ['AA'],
        tags: ['b', 'a'],
      })
      const page = await context.store.search({ value: 'needle', visibility: 'all', limit: 10 })
      const [{ after, ...found } = { after: '' }] = page.images
      assert.deepEqual(found, { image, container: place.container, tags: ['a', 'b'] })
      assert.deepEqual(
        (await context.store.search({ value: 'needle', visibility: 'all', limit: 10, after })).images,
        [],
      )
      assert.deepEqual(page.containers, [place.container])
      assert.deepEqual(page.collections, [place.collection])
      assert.deepEqual(
        (await context.store.search({ value: place.entity.name, visibility: 'all', limit: 10 })).entities,
        [await context.store.entities.find(place.entity.id)],
      )
      assert.equal(page.next, undefined)
    },
    'names a tag once, however many archs have it': async (context) => {
      const place = await context.place({ container: 'multi' })
      const image = await context.publish(place, { arch: 'amd64', tags: ['latest'] })
      await context.store.tags.set({
        containerId: place.container.id,
        arch: 'arm64',
        tag: 'latest',
        imageId: image.id,
        now: 1,
      })
      assert.deepEqual(await images(context.store, 'multi'), ['multi:latest'])
    },
    'finds published images only': async (context) => {
      const { store } = context
      const place = await context.place({ container: 'states' })
      await context.image(place.container)
      const image = await context.publish(place, { state: 'unproven', tags: ['x'] })
      assert.deepEqual(await images(store, 'states'), [])
      await store.images.setState(image.id, ['unproven'], 'published', 1)
      assert.deepEqual(await images(store, 'states'), ['states:x'])
      await store.images.setState(image.id, ['published'], 'damaged', 2)
      assert.deepEqual(await images(store, 'states'), [])
      await store.images.setState(image.id, ['damaged'], 'published', 3)
      assert.deepEqual(await images(store, 'states'), ['states:x'])
      await store.images.delete(image.id, 4)
      assert.deepEqual(await images(store, 'states'), [])
    },
    'follows the tags': async (context) => {
      const { store } = context
      const place = await context.place({ container: 'tagged' })
      const one = await context.publish(place, { tags: ['first', 'moving'] })
      await context.publish(place, { tags: ['second'] })
      assert.deepEqual(await images(store, 'moving'), ['tagged:first,moving'])
      const second =
        (await store.images.findByPath(context.pathOf(place), { tag: 'second', arch: 'amd64' }))?.image.id ?? ''
      await store.tags.set({ containerId: place.container.id, arch: 'amd64', tag: 'moving', imageId: second, now: 1 })
      assert.deepEqual(await images(store, 'moving'), ['tagged:moving,second'])
      await store.tags.remove({
        containerId: place.container.id,
        arch: 'amd64',
        tag: 'moving',
        imageId: second,
        now: 2,
      })
      assert.deepEqual(await images(store, 'moving'), [])
      await store.tags.remove({ containerId: place.container.id, arch: 'amd64', tag: 'first', imageId: one.id, now: 3 })
      assert.equal(await store.images.find(one.id), undefined)
      assert.deepEqual(await images(store, 'tagged'), ['tagged:second'])
    },
    'finds an shared image': async (context) => {
      const source = await context.publish(await context.place({ container: 'source' }))
      const { container } = await context.place({ container: 'adopter' })
      await context.store.images.createIfAbsent({
        ...{ id: context.id(), containerId: container.id, digest: source.digest, description: '', owner: null, now: 1 },
        shareBytes: { imageId: source.id, defaultQuotaBytes: 0 },
      })
      assert.deepEqual(await images(context.store, 'adopter'), ['adopter:'])
    },
    'filters by arch and by signature': async (context) => {
      const { store } = context
      const place = await context.place({ container: 'filtered' })
      await context.publish(place, { arch: 'amd64', signed: true, tags: ['a'] })
      await context.publish(place, { arch: 'arm64', signed: false, tags: ['b'] })
      const unknown = await context.publish(place, { tags: ['c'] })
      assert.deepEqual(await images(store, 'filtered', { archs: ['amd64'] }), ['filtered:a'])
      assert.deepEqual(await images(store, 'filtered', { archs: ['arm64', 'amd64', 's390x'] }), [
        'filtered:a',
        'filtered:b',
      ])
      assert.deepEqual(await images(store, 'filtered', { archs: [] }), ['filtered:a', 'filtered:b', 'filtered:c'])
      assert.deepEqual(await images(store, 'filtered', { archs: ['s390x'] }), [])
      assert.deepEqual(await images(store, 'filtered', { signed: true }), ['filtered:a'])
      assert.deepEqual(
        await images(store, 'filtered', { signed: false }),
        ['filtered:b', 'filtered:c'],
        'not known to be signed',
      )
      await store.images.setArchIfUnknown(unknown.id, 's390x', 1)
      assert.deepEqual(await images(store, 'filtered', { archs: ['s390x'] }), ['filtered:c'])
    },
    'shows what the visibility allows': async (context) => {
      const { store } = context
      const names: [string, boolean, boolean][] = [
        ['open', false, false],
        ['hidden', true, false],
        ['inside', false, true],
      ]
      for (const entity of ['alice', 'bob']) {
        for (const [name, isPrivate, inPrivate] of names) {
          const place = await context.place({
            entity,
            collection: `secret-${name}`,
            container: `${entity}-${name}`,
            private: isPrivate,
          })
          if (inPrivate) await store.collections.update(place.collection.id, { private: true, now: 1 })
          await context.publish(place)
        }
      }
      const open = ['alice-open:', 'bob-open:']
      assert.deepEqual(await images(store, 'secret', { visibility: 'public' }), open)
      assert.deepEqual(await images(store, 'secret', { visibility: { entities: [] } }), open)
      assert.deepEqual(await images(store, 'secret', { visibility: { entities: ['alice', 'nobody'] } }), [
        'alice-hidden:',
        'alice-inside:',
        ...open,
      ])
      assert.equal((await images(store, 'secret', { visibility: { entities: ['alice', 'bob'] } })).length, 6)
      assert.equal((await images(store, 'secret', { visibility: 'all' })).length, 6)
      const page = await find(store, 'secret', { visibility: 'public' })
      assert.deepEqual(page.collections, [
        'alice/secret-hidden',
        'alice/secret-open',
        'bob/secret-hidden',
        'bob/secret-open',
      ])
      assert.deepEqual(page.containers, ['secret-open/alice-open', 'secret-open/bob-open'])
      assert.equal((await find(store, 'secret', { visibility: { entities: ['alice'] } })).collections.length, 5)
    },
    'an entity whose things start private shows only to those who may see into it': async (context) => {
      const { store } = context
      await context.entity('entity-open')
      await context.entity('entity-closed', true)
      assert.deepEqual((await find(store, 'entity-', { visibility: 'public' })).entities, ['entity-open'])
      assert.deepEqual((await find(store, 'entity-', { visibility: { entities: ['entity-closed'] } })).entities, [
        'entity-closed',
        'entity-open',
      ])
      assert.deepEqual((await find(store, 'entity-', { visibility: 'all' })).entities, ['entity-closed', 'entity-open'])
    },
    'walks in pages over the images; the rest comes with the first one': async (context) => {
      const { store } = context
      const all: string[] = []
      for (let index = 0; index < 5; index += 1) {
        const place = await context.place({ collection: 'paged', private: index === 2 })
        for (let image = 0; image < 5; image += 1) {
          const { id } = await context.publish(place, { arch: image === 3 ? 'arm64' : 'amd64' })
          if (index !== 2 && image !== 3) all.push(id)
        }
      }
      const query: SearchQuery = { value: 'paged', visibility: 'public', archs: ['amd64'], limit: 3 }
      const walked = await walk(context, query)
      assert.equal(walked.length, all.length, 'every image once')
      assert.deepEqual(new Set(walked), new Set(all))
      assert.deepEqual(await walk(context, { ...query, limit: all.length }), walked)
      const first = await store.search(query)
      assert.deepEqual([first.collections.length, first.containers.length], [3, 3], 'limit of each')
      assert.ok(first.next)
      assert.equal(first.next, first.images.at(-1)?.after)
      const second = await store.search({ ...query, after: first.next })
      assert.deepEqual([second.entities, second.collections, second.containers], [[], [], []])
    },
    'an after that no page gave out is the first page': async (context) => {
      await context.publish(await context.place({ container: 'garbage' }))
      for (const after of ['', '!', "' OR 1=1", '-1', '1e9', 'zzzzzzzzzzzzzzzzzzzzzzzzz', '\0', 'é']) {
        assert.equal(
          (await context.store.search({ value: 'garbage', visibility: 'all', limit: 5, after })).images.length,
          1,
          JSON.stringify(after),
        )
      }
    },
    'a value of less than three characters finds nothing': async (context) => {
      await context.place({ entity: 'ab', collection: 'äö' })
      for (const value of ['', 'a', 'ab', 'äö', '😀😀', '%', '__'])
        assert.deepEqual(await find(context.store, value), nothing, value)
    },
  },
}

export const hostileSearchTests: MetadataGroup = {
  name: 'search, hostile values',
  tests: {
    'every character of the value stands for itself': async (context) => {
      const { store } = context
      await context.publish(await context.place({ container: 'plain', description: 'nothing special at all' }))
      const descriptions = [
        `100% sure`,
        `under_score`,
        `back\\slash`,
        `quo"te and 'tick'`,
        `'; DROP TABLE images; --`,
        `a AND b OR NOT c NEAR(d)`,
        `text:col^umn*`,
        `{brace} (paren) -minus +plus`,
        `?1 $2 :name @at`,
        `\\%_\\`,
      ]
      for (const [index, description] of descriptions.entries())
        await context.publish(await context.place({ container: `h${index}`, description }))
      for (const [index, description] of descriptions.entries()) {
        assert.deepEqual(await images(store, description), [`h${index}:`], description)
        assert.deepEqual(await images(store, description.slice(-4)), [`h${index}:`], description.slice(-4))
      }
      for (const value of [
        '%%%',
        '___',
        '***',
        '"""',
        "'''",
        '\\\\\\',
        '" OR "',
        'h_:',
        'p%n',
        '((((',
        'text : nothing',
        '0000',
        '\u0001\u0001\u0001',
      ]) {
        assert.deepEqual(await find(store, value), nothing, value)
      }
    },
    'unicode folds by case and is cut between characters': async (context) => {
      const { store } = context
      await context.publish(
        await context.place({ container: 'unicode', description: 'Ångström ПРИВЕТ 日本語イメージ 😀🚀🧬' }),
      )
      for (const value of ['ångSTR', 'привет', '本語イ', '😀🚀🧬'])
        assert.deepEqual(await images(store, value), ['unicode:'], value)
      for (const value of ['angstrom', '語本日', '🚀😀🧬']) assert.deepEqual(await images(store, value), [], value)
    },
    'NUL, lone surrogates and very long values do no harm': async (context) => {
      const { store } = context
      await context.publish(await context.place({ container: 'target' }))
      for (const value of [
        'tar\0get',
        '\0\0\0',
        '\ud800\ud800\ud800',
        'target\ud800',
        'x'.repeat(100_000),
        `target${' '.repeat(300)}`,
      ]) {
        assert.deepEqual(await find(store, value), nothing, JSON.stringify(value.slice(0, 20)))
      }
      const entities = Array.from({ length: 5000 }, (_, index) => `entity-${index}`)
      assert.deepEqual(await images(store, 'target', { visibility: { entities }, archs: ["'", '"', '\0', ''] }), [])
      assert.deepEqual(await images(store, 'target', { visibility: { entities } }), ['target:'])
    },
  },
}
