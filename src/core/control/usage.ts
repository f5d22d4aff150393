/** Who uses the space, and how often what is there is pulled. */
import type { CollectionSummary, ContainerSummary, EntitySummary, PullScope } from '../../storage/metadata/contract.js'
import { collectionResource, containerResource, entityResource, registryResource } from '../auth/resources.js'
import { LibraryError } from '../http/errors.js'
import type { UseCase } from './context.js'
import type { StepQuery, UsageQuery } from './control.js'
import { dayText, stepShape, stepsOf } from './days.js'
import { findCollection, findContainer, findEntity } from './find-place.js'
import { collectionPlace, containerPlace, count, read, type Shape, text } from './input.js'
import { existing } from './lists.js'
import { type Rows, readPage } from './pages.js'
import { placeOf } from './place-records.js'
import type { PullStep, Stats, Usage, UsageOf, UsageStep } from './records.js'

export const usageQuery: Shape<UsageQuery> = {
  under: text(511).optional().describe('entity or entity/collection; default: the whole registry'),
  top: count(1, 200).optional().describe('how many of the largest; default 20'),
}

export const pullsQuery: Shape<StepQuery & { under?: string }> = {
  under: text(767).optional().describe('entity or container; default: the whole registry'),
  ...stepShape,
}

interface Sums {
  readonly usedBytes: number
  readonly images: number
}

async function usageOf<R>(
  { services, asker }: UseCase,
  {
    under,
    total,
    top,
    read: readRows,
    isAllowed,
    toUsage,
  }: {
    readonly under: string
    readonly total: Sums
    readonly top: number
    readonly read: Rows<R>['read']
    readonly isAllowed: (row: R) => boolean | Promise<boolean>
    readonly toUsage: (row: R) => UsageOf
  },
): Promise<Usage> {
  const { askEachRow } = await asker.visibility()
  const page = await readPage<R>(services, asker, {
    list: 'usage',
    query: { under },
    page: { limit: top },
    read: readRows,
    ask: askEachRow ? { isAllowed, idOf: (row) => toUsage(row).path } : undefined,
  })
  const children = page.items.map(toUsage)
  const sum = (of: (child: UsageOf) => number): number => children.reduce((all, child) => all + of(child), 0)
  return {
    under,
    ...total,
    children,
    // of two moments: a push in between must not make less than nothing
    others: {
      usedBytes: Math.max(0, total.usedBytes - sum(({ usedBytes }) => usedBytes)),
      images: Math.max(0, total.images - sum(({ images }) => images)),
    },
  }
}

/** The largest children of a place, for those who may push to it; of the registry for admins. */
export async function getUsage(useCase: UseCase, given?: UsageQuery): Promise<Usage> {
  const { services, asker } = useCase
  const { metadata } = services
  const { under = '', top = 20 } = read<UsageQuery>(usageQuery, given)
  const { filter: visibility } = await asker.visibility()
  const sort = '-usedBytes'
  if (under === '') {
    await asker.authorize('admin', { resource: registryResource, record: true })
    const { all } = await metadata.usage.totals()
    return usageOf<EntitySummary>(useCase, {
      under,
      top,
      total: { usedBytes: all.bytes, images: all.images },
      read: (part) => metadata.entities.page({ visibility, sort, ...part }),
      isAllowed: (record) => asker.may('pull', entityResource(record.name, record)),
      toUsage: (record) => ({ path: record.name, usedBytes: record.usedBytes, images: record.imageCount }),
    })
  }
  if (!under.includes('/')) {
    const { id } = await findEntity(useCase, under, 'push')
    const { usedBytes, imageCount } = existing(await metadata.entities.findSummary(id), under)
    return usageOf<CollectionSummary>(useCase, {
      under,
      top,
      total: { usedBytes, images: imageCount },
      read: (part) => metadata.collections.page({ visibility, sort, entity: under, ...part }),
      isAllowed: (record) =>
        asker.may('pull', collectionResource({ entity: record.entityName, collection: record.name }, record)),
      toUsage: (record) => ({
        path: `${record.entityName}/${record.name}`,
        usedBytes: record.usedBytes,
        images: record.imageCount,
      }),
    })
  }
  const { id } = await findCollection(useCase, collectionPlace(under), 'push')
  const { usedBytes, imageCount } = existing(await metadata.collections.findSummary(id), under)
  return usageOf<ContainerSummary>(useCase, {
    under,
    top,
    total: { usedBytes, images: imageCount },
    read: (part) => metadata.containers.page({ visibility, sort, collectionId: id, ...part }),
    isAllowed: (record) => asker.may('pull', containerResource(placeOf(record), record)),
    toUsage: (record) => ({
      path: `${record.entityName}/${record.collectionName}/${record.name}`,
      usedBytes: record.usedBytes,
      images: record.imageCount,
    }),
  })
}

/** What an entity held at the end of each step, for those who may push to it. */
export async function usageHistory(useCase: UseCase, entity: string, given?: StepQuery): Promise<readonly UsageStep[]> {
  const { metadata, settings } = useCase.services
  const steps = stepsOf(read<StepQuery>(stepShape, given), settings.clock())
  const { id } = await findEntity(useCase, entity, 'push')
  const days = await metadata.usage.days({ entityId: id, from: steps.from, to: steps.to })
  let held = { usedBytes: 0, images: 0 }
  const ends = new Map<number, typeof held>()
  for (const { day, usedBytes, images } of days) {
    held = { usedBytes, images }
    // before the first step: what it begins with
    ends.set(day < steps.from ? -1 : steps.indexOf(day), held)
  }
  let last = ends.get(-1) ?? { usedBytes: 0, images: 0 }
  return steps.starts.map((start, index) => {
    last = ends.get(index) ?? last
    return { from: dayText(start), ...last }
  })
}

/**
 * A container's for those who may pull it; what an entity or the registry sums up may be hidden
 * from them.
 */
async function scopeOf(
  useCase: UseCase,
  under: string | undefined,
): Promise<{ readonly scope: PullScope; readonly id: string }> {
  if (under === undefined || under === '') {
    await useCase.asker.authorize('admin', { resource: registryResource, record: true })
    return { scope: 'all', id: 'all' }
  }
  const parts = under.split('/').length
  if (parts === 1) return { scope: 'entity', id: (await findEntity(useCase, under, 'push')).id }
  if (parts === 3) return { scope: 'container', id: (await findContainer(useCase, containerPlace(under), 'pull')).id }
  throw new LibraryError('invalid-request', 'under: an entity, or entity/collection/container', { field: 'under' })
}

export async function listPulls(
  useCase: UseCase,
  given?: StepQuery & { readonly under?: string },
): Promise<readonly PullStep[]> {
  const { metadata, settings } = useCase.services
  const { under, ...query } = read<StepQuery & { under?: string }>(pullsQuery, given)
  const steps = stepsOf(query, settings.clock())
  const { scope, id } = await scopeOf(useCase, under)
  const days = await metadata.pulls.days({ scope, ids: [id], from: steps.from, to: steps.to })
  const sums = steps.starts.map(() => 0)
  for (const { day, pulls } of days) {
    const index = steps.indexOf(day)
    sums[index] = (sums[index] ?? 0) + pulls
  }
  return steps.starts.map((start, index) => ({ from: dayText(start), pulls: sums[index] ?? 0 }))
}

export async function getStats({ services, asker }: UseCase): Promise<Stats> {
  const { filter, askEachRow } = await asker.visibility()
  const scope = filter === 'all' && !askEachRow ? 'all' : 'public'
  const totals = await services.metadata.usage.totals()
  const { containers, images, bytes } = totals[scope]
  return { scope, containers, images, bytes }
}
