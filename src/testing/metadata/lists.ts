import type {
  CollectionSummary,
  ContainerPageQuery,
  ContainerSummary,
  EntitySummary,
  Page,
  VisibilityFilter,
} from '../../storage/metadata/contract.js'
import { assert } from '../assert.js'
import type { MetadataContext, MetadataGroup } from './context.js'

/**
 * Entities, each with collections and containers, private ones among them, with images, tags and
 * pulls.
 */
async function world(context: MetadataContext): Promise<void> {
  const { store } = context
  for (const [place, name] of ['ant', 'bee', 'cow', 'dog'].entries()) {
    const entity = await context.entity(name, place === 3)
    for (const collectionName of ['first', 'second']) {
      const { record: collection } = await store.collections.createIfAbsent({
        ...{ id: context.id(), entityId: entity.id, name: collectionName, description: `of ${name}` },
        ...{ private: place === 1 && collectionName === 'second', owner: 'somebody', now: context.now() },
      })
      for (let number = 0; number < 4; number += 1) {
        const { record: container } = await store.containers.createIfAbsent({
          ...{ id: context.id(), collectionId: collection.id, name: `tool-${number}${number === 2 ? '_x' : ''}` },
          ...{ description: number === 3 ? 'Aligns 100% of reads' : '', private: number === 1 },
          ...{ owner: number === 0 ? 'ann' : null, now: context.now() },
        })
        if (number === 3) continue
        const options = { arch: number === 2 ? 'arm64' : 'amd64', signed: number === 0, tags: ['v1'] }
        const image = await context.publish(
          { entity, collection, container },
          { ...options, size: 100 * (1 + (number % 2)) },
        )
        const pulls = [{ containerId: container.id, imageId: image.id, count: (place + number) % 3 }]
        if (number !== 1) await store.pulls.count(pulls, context.now())
      }
    }
  }
}

const compare = (one: string | number, other: string | number): number => (one < other ? -1 : one > other ? 1 : 0)

/** By the keys, which are all descending or all ascending. */
function sortedBy<R>(
  records: readonly R[],
  keys: (record: R) => readonly (string | number)[],
  sign: 1 | -1,
): readonly R[] {
  return [...records].sort((one, other) => {
    const [left, right] = [keys(one), keys(other)]
    for (const [place, value] of left.entries()) {
      const order = compare(value, right[place] ?? '')
      if (order !== 0) return sign * order
    }
    return 0
  })
}

const pathOf = ({ entityName, collectionName, name }: ContainerSummary): string =>
  `${entityName}/${collectionName}/${name}`

const containerSorts: Readonly<
  Record<ContainerPageQuery['sort'], (all: readonly ContainerSummary[]) => readonly ContainerSummary[]>
> = {
  name: (all) => sortedBy(all, ({ entityName, collectionName, name }) => [entityName, collectionName, name], 1),
  '-updatedAt': (all) => sortedBy(all, ({ changedAt, id }) => [changedAt, id], -1),
  '-pulls': (all) => sortedBy(all, ({ downloadCount, id }) => [downloadCount, id], -1),
  '-usedBytes': (all) => sortedBy(all, ({ usedBytes, id }) => [usedBytes, id], -1),
}

const after = (cursor: string | undefined): { after?: string } => (cursor === undefined ? {} : { after: cursor })

const sees = (visibility: VisibilityFilter, entity: string, isPrivate: boolean): boolean =>
  visibility === 'all' || !isPrivate || (visibility !== 'public' && visibility.entities.includes(entity))

const visibilities: readonly VisibilityFilter[] = [
  ...(['all', 'public'] as const),
  ...[{ entities: [] }, { entities: ['bee', 'nobody'] }, { entities: ['bee', 'dog', 'bee'] }],
  // more than have a range of their own
  { entities: ['cow', 'ant', ...Array.from({ length: 60 }, (_, number) => `other-${number}`)] },
]

const someVisibilities = [visibilities[1], visibilities[4], visibilities[5]]
const someSorts = ['name', '-updatedAt']

type Filter = Partial<Omit<ContainerPageQuery, 'visibility' | 'sort' | 'limit'>>

/** Each filter with what passes it. */
const filters = (collectionId: string): readonly (readonly [Filter, (container: ContainerSummary) => boolean])[] => [
  [{}, () => true],
  [{ entities: ['bee', 'ant'] }, ({ entityName }) => entityName === 'bee' || entityName === 'ant'],
  [{ entities: [] }, () => false],
  [
    { entities: ['dog', ...Array.from({ length: 60 }, (_, number) => `more-${number}`)] },
    ({ entityName }) => entityName === 'dog',
  ],
  [{ collectionId }, (container) => container.collectionId === collectionId],
  [
    { collectionId, private: false },
    (container) => container.collectionId === collectionId && !container.private && !container.collectionPrivate,
  ],
  [{ owner: 'ann' }, ({ owner }) => owner === 'ann'],
  [{ private: true }, (container) => container.private || container.collectionPrivate],
  [{ private: false }, (container) => !container.private && !container.collectionPrivate],
  [{ arch: 'arm64' }, ({ archs }) => archs.includes('arm64')],
  [{ arch: '%' }, () => false],
  [{ signed: true }, ({ latest }) => latest?.signed === true],
  [{ signed: false }, ({ latest }) => latest?.signed !== true],
  [{ prefix: 'tool-2' }, ({ name }) => name.startsWith('tool-2')],
  [{ prefix: 'nothing' }, () => false],
  [{ q: 'BEE/fir' }, ({ entityName, collectionName }) => entityName === 'bee' && collectionName === 'first'],
  [{ q: '100%' }, ({ description }) => description.includes('100%')],
  [{ q: '_x' }, ({ name }) => name.includes('_x')],
  [{ q: 't-' }, (container) => pathOf(container).includes('t-')],
  [
    { q: 'second', entities: ['cow'], arch: 'amd64' },
    ({ entityName, collectionName, archs }) =>
      entityName === 'cow' && collectionName === 'second' && archs.includes('amd64'),
  ],
]

export const listTests: MetadataGroup = {
  name: 'lists',
  tests: {
    'containers: every sort, filter and visibility shows what there is, page by page': async (context) => {
      const { store } = context
      await world(context)
      const page = (query: Filter & Pick<ContainerPageQuery, 'visibility' | 'sort'>, limit: number) =>
        context.walk((cursor) => store.containers.page({ ...query, limit, ...after(cursor) }))
      const all = await page({ visibility: 'all', sort: 'name' }, 100)
      assert.equal(all.length, 32)
      const collectionId = all[9]?.collectionId ?? ''
      for (const visibility of visibilities)
        for (const [filter, passes] of filters(collectionId))
          for (const sort of Object.keys(containerSorts) as ContainerPageQuery['sort'][]) {
            // every visibility with every sort, and every filter with some of both
            const isPlain = Object.keys(filter).length === 0
            if (!isPlain && (!someVisibilities.includes(visibility) || !someSorts.includes(sort))) continue
            const expected = containerSorts[sort](
              all.filter(
                (container) =>
                  passes(container) &&
                  sees(visibility, container.entityName, container.private || container.collectionPrivate),
              ),
            )
            const shown = await page({ ...filter, visibility, sort }, 3)
            const said = JSON.stringify({ visibility, filter, sort }).slice(0, 200)
            assert.deepEqual(shown.map(pathOf), expected.map(pathOf), said)
          }
    },
    'containers: a summary says what is in it, who changed it and when it was pulled': async (context) => {
      const { store } = context
      const place = await context.place()
      const { id } = place.container
      const fresh = await store.containers.findSummary(id)
      assert.deepEqual(
        { ...fresh, ...place.container },
        {
          ...place.container,
          ...{
            usedBytes: 0,
            imageCount: 0,
            archs: [],
            latest: null,
            lastPulledAt: null,
            changedBy: null,
            changedAt: place.container.createdAt,
          },
        },
      )
      const image = await context.publish(place, { size: 70, signed: true, tags: ['old'] })
      const other = await context.publish(place, { size: 30, arch: 'arm64' })
      const now = context.now()
      const activity = { actor: { id: 'u1', name: 'ann', via: 'token' } } as const
      await store.tags.set({ containerId: id, arch: 'arm64', tag: 'new', imageId: other.id, now, activity })
      await store.pulls.count([{ containerId: id, imageId: other.id, count: 4 }], now + 5)
      const summary = await store.containers.findSummary(id)
      assert.deepEqual(
        {
          ...{ usedBytes: summary?.usedBytes, imageCount: summary?.imageCount, archs: summary?.archs },
          ...{ latest: summary?.latest, pulls: summary?.downloadCount, lastPulledAt: summary?.lastPulledAt },
          ...{ changedAt: summary?.changedAt, changedBy: summary?.changedBy },
        },
        {
          ...{ usedBytes: 100, imageCount: 2, archs: ['amd64', 'arm64'], pulls: 4, lastPulledAt: now + 5 },
          latest: {
            arch: 'arm64',
            tag: 'new',
            imageId: other.id,
            digest: other.digest,
            size: 30,
            signed: null,
            updatedAt: now,
          },
          ...{ changedAt: now, changedBy: 'ann' },
        },
      )
      await store.images.delete(other.id, context.now())
      const less = await store.containers.findSummary(id)
      assert.deepEqual([less?.latest?.imageId, less?.latest?.signed, less?.archs], [image.id, true, ['amd64']])
      assert.equal(await store.containers.findSummary(context.id()), undefined)
    },
    'containers: few that pass among many, and many that do': async (context) => {
      const { store } = context
      const entity = await context.entity()
      const collection = await store.collections.createIfAbsent({
        ...{
          id: context.id(),
          entityId: entity.id,
          name: 'big',
          description: '',
          private: false,
          owner: null,
          now: context.now(),
        },
      })
      const ids: string[] = []
      for (let number = 0; number < 620; number += 1) {
        const made = await store.containers.createIfAbsent({
          ...{
            id: context.id(),
            collectionId: collection.record.id,
            name: `n${String(number).padStart(4, '0')}`,
            private: false,
          },
          ...{ description: number % 300 === 7 ? 'a needle' : 'plain hay', owner: 'ann', now: context.now() },
        })
        ids.push(made.record.id)
      }
      const walk = (filter: Filter, sort: ContainerPageQuery['sort']) =>
        context.walk((cursor) =>
          store.containers.page({ visibility: 'public', sort, limit: 100, ...filter, ...after(cursor) }),
        )
      for (const sort of ['name', '-updatedAt'] as const) {
        const inOrder = sort === 'name' ? ids : [...ids].reverse()
        const needles = inOrder.filter((id) => ids.indexOf(id) % 300 === 7)
        const shown = async (filter: Filter) => (await walk(filter, sort)).map(({ id }) => id)
        assert.deepEqual(await shown({ q: 'needle' }), needles)
        assert.deepEqual(
          await shown({ q: 'hay' }),
          inOrder.filter((id) => !needles.includes(id)),
        )
        assert.deepEqual(await shown({ owner: 'ann', collectionId: collection.record.id }), inOrder)
        assert.deepEqual(
          await shown({ collectionId: collection.record.id, prefix: 'n000' }),
          inOrder.filter((id) => ids.indexOf(id) < 10),
        )
      }
    },
    'what a page did not return begins at the first page': async (context) => {
      const { store } = context
      await context.place()
      for (const cursor of [
        '',
        'nonsense',
        'W10',
        'WzFd',
        'x'.repeat(5000),
        Buffer.from('[null,{},1]').toString('base64url'),
      ]) {
        const query = { visibility: 'all', limit: 5, after: cursor } as const
        assert.equal((await store.containers.page({ ...query, sort: 'name' })).items.length, 1)
        assert.equal((await store.containers.page({ ...query, sort: '-pulls' })).items.length, 1)
        assert.equal((await store.entities.page({ ...query, sort: 'name' })).items.length, 1)
      }
      const none = await store.containers.page({ visibility: 'all', sort: 'name', limit: 0 })
      assert.deepEqual(none.items, [])
    },
    'entities and collections: every sort and visibility': async (context) => {
      const { store } = context
      await world(context)
      for (const visibility of visibilities) {
        const entities = async (query: Record<string, unknown>) =>
          (
            await context.walk<EntitySummary>((cursor) =>
              store.entities.page({ visibility, sort: 'name', limit: 2, ...query, ...after(cursor) }),
            )
          ).map(({ name }) => name)
        const seen = ['ant', 'bee', 'cow', 'dog'].filter((name) => sees(visibility, name, name === 'dog'))
        assert.deepEqual(await entities({}), seen)
        assert.deepEqual((await entities({ sort: '-usedBytes' })).sort(), seen)
        assert.deepEqual(await entities({ sort: '-updatedAt' }), [...seen].reverse())
        assert.deepEqual(await entities({ q: 'be' }), ['bee'])
        assert.deepEqual(await entities({ q: 'BEE' }), ['bee'])
        assert.deepEqual(await entities({ prefix: 'c' }), ['cow'])
        assert.deepEqual(
          await entities({ names: ['dog', 'ant', 'cat'] }),
          seen.filter((name) => name === 'dog' || name === 'ant'),
        )
        assert.deepEqual(
          await entities({ private: true }),
          seen.filter((name) => name === 'dog'),
        )
        const collections = async (query: Record<string, unknown>) =>
          (
            await context.walk<CollectionSummary>(
              (cursor): Promise<Page<CollectionSummary>> =>
                store.collections.page({ visibility, sort: 'name', limit: 2, ...query, ...after(cursor) }),
            )
          ).map(({ entityName, name }) => `${entityName}/${name}`)
        const shown = ['ant', 'bee', 'cow', 'dog']
          .flatMap((name) => [`${name}/first`, `${name}/second`])
          .filter((path) => sees(visibility, path.slice(0, 3), path === 'bee/second'))
        assert.deepEqual(await collections({}), shown)
        assert.deepEqual(await collections({ sort: '-updatedAt' }), [...shown].reverse())
        assert.deepEqual((await collections({ sort: '-usedBytes' })).sort(), shown)
        assert.deepEqual(
          await collections({ entity: 'bee' }),
          shown.filter((path) => path.startsWith('bee')),
        )
        assert.deepEqual(
          await collections({ entity: 'bee', prefix: 'sec' }),
          shown.filter((path) => path === 'bee/second'),
        )
        assert.deepEqual(await collections({ q: 'of cow' }), ['cow/first', 'cow/second'])
        assert.deepEqual(
          await collections({ private: true }),
          shown.filter((path) => path === 'bee/second'),
        )
      }
    },
    'images of a container: newest first, with tags, pulls and who pushed them': async (context) => {
      const { store } = context
      const place = await context.place()
      const images = [
        await context.publish(place, { tags: ['a', 'b'] }),
        await context.publish(place, { arch: 'arm64' }),
        await context.publish(place, { state: 'unproven', tags: ['c'] }),
      ]
      await context.image(place.container)
      await context.publish(await context.place(), { tags: ['elsewhere'] })
      const containerId = place.container.id
      await store.pulls.count([{ containerId, imageId: images[0]?.id ?? '', count: 2 }], 77)
      const walk = (query: Record<string, unknown>) =>
        context.walk((cursor) =>
          store.images.page({ containerId, sort: '-publishedAt', limit: 1, ...query, ...after(cursor) }),
        )
      const ids = async (query: Record<string, unknown>) => (await walk(query)).map(({ id }) => id)
      const [one, two, three] = images.map(({ id }) => id)
      assert.deepEqual(await ids({}), [three, two, one])
      assert.deepEqual(await ids({ sort: 'publishedAt' }), [one, two, three])
      assert.deepEqual(await ids({ arch: 'arm64' }), [two])
      assert.deepEqual(await ids({ untagged: true }), [two])
      assert.deepEqual(await ids({ untagged: false }), [three, one])
      const last = (await walk({})).at(-1)
      assert.deepEqual(
        [last?.tags.map(({ tag }) => tag), last?.downloadCount, last?.lastPulledAt, last?.pushedByName],
        [['a', 'b'], 2, 77, null],
      )
      assert.deepEqual(await store.images.findSummary(one ?? ''), last)
      assert.equal(await store.images.findSummary(context.id()), undefined)
    },
    'images pushed by a user of ours before names were written down show the name': async (context) => {
      const { store } = context
      await store.accounts.createUser({ id: 'somebody', name: 'sam', admin: false, groups: [], createdAt: 1 })
      const image = await context.publish(await context.place())
      assert.equal((await store.images.findSummary(image.id))?.pushedByName, 'sam')
    },
    'tags of a container: by name and by time': async (context) => {
      const { store } = context
      const place = await context.place()
      const amd = await context.publish(place, { tags: ['b', 'a_1', 'c'] })
      const arm = await context.publish(place, { arch: 'arm64', tags: ['b', 'aX1'] })
      const containerId = place.container.id
      const walk = async (query: Record<string, unknown>) =>
        (
          await context.walk((cursor) =>
            store.tags.page({ containerId, sort: 'name', limit: 2, ...query, ...after(cursor) }),
          )
        ).map(({ tag, arch, image }) => `${tag} ${arch} ${image.id === amd.id ? 1 : image.id === arm.id ? 2 : 0}`)
      assert.deepEqual(await walk({}), ['aX1 arm64 2', 'a_1 amd64 1', 'b amd64 1', 'b arm64 2', 'c amd64 1'])
      assert.deepEqual(await walk({ sort: '-updatedAt' }), [
        'aX1 arm64 2',
        'b arm64 2',
        'c amd64 1',
        'a_1 amd64 1',
        'b amd64 1',
      ])
      assert.deepEqual(await walk({ arch: 'arm64' }), ['aX1 arm64 2', 'b arm64 2'])
      assert.deepEqual(await walk({ q: '_' }), ['a_1 amd64 1'])
      assert.deepEqual(await walk({ q: '1', sort: '-updatedAt' }), ['aX1 arm64 2', 'a_1 amd64 1'])
      const activity = { actor: { id: 'u1', name: 'ann', via: 'session' } } as const
      await store.tags.set({ containerId, arch: 'amd64', tag: 'c', imageId: amd.id, now: context.now(), activity })
      assert.equal((await store.tags.find(containerId, 'amd64', 'c'))?.changedBy, 'ann')
      assert.equal((await store.tags.find(containerId, 'amd64', 'b'))?.changedBy, null)
    },
    'uploads under way: of an entity, of a principal, of all': async (context) => {
      const { store } = context
      const [one, two] = [await context.place(), await context.place()]
      const [image, other] = [await context.image(one.container), await context.image(two.container)]
      const uploads = [
        await context.upload(image, one),
        await context.upload(image, one),
        await context.upload(other, two),
      ]
      await context.completing(other, two)
      await store.uploads.move(uploads[1]?.id ?? '', 'open', 'aborted', 1)
      const walk = async (query: Record<string, unknown>) =>
        (await context.walk((cursor) => store.uploads.page({ limit: 1, ...query, ...after(cursor) }))).map(
          ({ entityId }) => entityId,
        )
      assert.deepEqual(await walk({ entityId: one.entity.id }), [one.entity.id])
      assert.equal((await walk({ principal: 'somebody' })).length, 3)
      assert.equal((await walk({ principal: 'nobody' })).length, 0)
      assert.equal((await walk({})).length, 3)
    },
  },
}
