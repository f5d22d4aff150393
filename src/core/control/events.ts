/** Who did what: of a place for those who manage it, of everything for admins. */
import { z } from 'zod'
import type { EventAction, EventRecord, EventQuery as StoreQuery } from '../../storage/metadata/contract.js'
import { registryResource } from '../auth/resources.js'
import { date, type UseCase } from './context.js'
import type { EventQuery } from './control.js'
import { findContainer, findEntity } from './find-place.js'
import { containerPlace, flag, pageShape, read, type Shape, text } from './input.js'
import { mapPage, readPage, splitPage } from './pages.js'
import type { ActivityEvent, Page, PageQuery } from './records.js'

const everyAction: Readonly<Record<EventAction, true>> = {
  'image.published': true,
  'image.changed': true,
  'image.deleted': true,
  'image.damaged': true,
  'tag.moved': true,
  'tag.removed': true,
  'entity.created': true,
  'entity.changed': true,
  'entity.deleted': true,
  'collection.created': true,
  'collection.changed': true,
  'collection.deleted': true,
  'container.created': true,
  'container.changed': true,
  'container.deleted': true,
  'upload.started': true,
  'upload.completed': true,
  'upload.aborted': true,
  'user.added': true,
  'user.changed': true,
  'user.removed': true,
  'token.created': true,
  'token.revoked': true,
  'session.created': true,
  'session.ended': true,
  'member.changed': true,
  'quota.changed': true,
  'policy.changed': true,
  'policy.ran': true,
  'sweep.ran': true,
  'verify.ran': true,
  'webhook.disabled': true,
}

const time = z
  .string()
  .max(40)
  .regex(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/,
    'must be a time such as 2026-01-31T12:00:00Z',
  )
  .refine((text) => !Number.isNaN(Date.parse(text)), 'is no time of the calendar')

export const eventQuery: Shape<EventQuery & PageQuery> = {
  entity: text(255).optional(),
  container: text(767).optional().describe('entity/collection/container'),
  actor: text(255).optional().describe('name of who did it'),
  action: z.enum(Object.keys(everyAction) as [EventAction, ...EventAction[]]).optional(),
  from: time.optional().describe('inclusive'),
  to: time.optional().describe('exclusive'),
  system: flag.optional().describe('with what the registry did itself; default: false'),
  ...pageShape,
}

function eventOf(record: EventRecord): ActivityEvent {
  const { seq, at, action, actor, path, digest, tag, arch, requestId, details } = record
  return {
    seq,
    at: date(at),
    action,
    // ids of a host mean nothing to people, and are for their owners and admins
    actor: { name: actor.name, via: actor.via },
    ...{ path, digest, tag, arch, requestId, details },
  }
}

/** The place that the list keeps to, once it may be looked at. */
async function placeFilter(
  useCase: UseCase,
  { entity, container }: EventQuery,
): Promise<Pick<StoreQuery, 'entityId' | 'containerId'>> {
  if (container !== undefined)
    return { containerId: (await findContainer(useCase, containerPlace(container), 'manage')).id }
  if (entity !== undefined) return { entityId: (await findEntity(useCase, entity, 'manage')).id }
  await useCase.asker.authorize('admin', { resource: registryResource, record: true })
  return {}
}

export async function listEvents(useCase: UseCase, given?: EventQuery & PageQuery): Promise<Page<ActivityEvent>> {
  const { services, asker } = useCase
  const { page, query } = splitPage(read<EventQuery & PageQuery>(eventQuery, given))
  const { actor, action, from, to, system = false } = query
  const place = await placeFilter(useCase, query)
  const found = await readPage<EventRecord>(services, asker, {
    list: 'events',
    query,
    page,
    read: (part) =>
      services.metadata.events.page({
        ...place,
        ...(actor !== undefined && { actor }),
        ...(action !== undefined && { actions: [action as EventAction] }),
        ...(from !== undefined && { from: Date.parse(from) }),
        ...(to !== undefined && { to: Date.parse(to) }),
        withoutSystem: !system,
        ...part,
      }),
  })
  return mapPage(found, eventOf)
}
