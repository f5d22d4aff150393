/** Tags: list, find, set, remove; and what they pointed at. */
import { z } from 'zod'
import type { ContainerRecord, TagHistoryRecord, TagSummary } from '../../storage/metadata/contract.js'
import { LibraryError } from '../http/errors.js'
import { setTag } from '../images/set-tag.js'
import { isVisible } from '../model/objects.js'
import { checkArch, checkTag, containerPath, hashFromDigest } from '../model/references.js'
import { activityOf } from './activity.js'
import { assertVersion, date, type UseCase } from './context.js'
import type { HistoryQuery, TagQuery, TagTarget } from './control.js'
import { findContainer } from './find-place.js'
import { containerPlace, digest, ifMatchShape, pageShape, read, type Shape, text } from './input.js'
import { mapPage, readPage, splitPage } from './pages.js'
import { placeOf } from './place-records.js'
import type { IfMatch, Page, PageQuery, Tag, TagChange } from './records.js'

const arch = text(32).optional().describe('architecture such as amd64')

export const tagQuery: Shape<TagQuery & PageQuery> = {
  q: text(128).optional().describe('a part of the tag'),
  arch,
  sort: z.enum(['name', '-updatedAt']).optional().describe('default: name'),
  ...pageShape,
}

export const archShape: Shape<{ arch?: string }> = {
  arch: arch.describe('default: the default one of the registry, else the only one'),
}

export const tagTarget: Shape<Omit<TagTarget, 'ifMatch' | 'ifNoneMatch' | 'arch'>> = {
  digest: digest.describe('of an image of this container'),
  reason: text(500).optional().describe('why, for the activity'),
}

export const historyQuery: Shape<HistoryQuery & PageQuery> = {
  tag: text(128).optional(),
  arch,
  ...pageShape,
}

function tagOf(container: ContainerRecord, record: TagSummary): Tag {
  const { image } = record
  return {
    path: containerPath(container),
    tag: record.tag,
    arch: record.arch,
    digest: image.digest,
    hash: hashFromDigest(image.digest),
    size: image.size,
    signed: image.signed,
    encrypted: image.encrypted,
    updatedAt: date(record.updatedAt),
    changedBy: record.changedBy,
    version: image.digest,
  }
}

export async function listTags(useCase: UseCase, path: string, given?: TagQuery & PageQuery): Promise<Page<Tag>> {
  const { services, asker } = useCase
  const { page, query } = splitPage(read<TagQuery & PageQuery>(tagQuery, given))
  const { sort = 'name', ...filters } = query
  if (filters.arch !== undefined) checkArch('arch', filters.arch)
  const container = await findContainer(useCase, containerPlace(path), 'pull')
  const found = await readPage<TagSummary>(services, asker, {
    list: 'tags',
    query: { path, sort, ...filters },
    page,
    read: (part) => services.metadata.tags.page({ containerId: container.id, sort, ...filters, ...part }),
  })
  return mapPage(found, (record) => tagOf(container, record))
}

/**
 * Under which arch a tag stands: the one that is asked for, the registry's default, or the only
 * one.
 */
async function archOf(
  { services }: UseCase,
  container: ContainerRecord,
  { tag, arch: given }: { readonly tag: string; readonly arch: string | undefined },
): Promise<string> {
  if (given !== undefined) return checkArch('arch', given)
  const { defaultArch } = services.settings
  const found = await services.metadata.tags.list(container.id, { tag, limit: 100 })
  const [first] = found
  if (found.length === 0 || found.some((each) => each.arch === defaultArch)) return defaultArch
  if (found.length === 1 && first !== undefined) return first.arch
  throw new LibraryError('invalid-request', `arch: ${tag} is there for ${found.map((each) => each.arch).join(', ')}`, {
    field: 'arch',
  })
}

const absent = (container: ContainerRecord, tag: string): LibraryError =>
  new LibraryError('not-found', `no such tag: ${containerPath(container)}:${tag}`)

async function findTag(
  useCase: UseCase,
  container: ContainerRecord,
  name: { readonly tag: string; readonly arch: string | undefined },
): Promise<TagSummary> {
  const { tags } = useCase.services.metadata
  const record = await tags.find(container.id, await archOf(useCase, container, name), name.tag)
  if (record === undefined) throw absent(container, name.tag)
  return record
}

export async function getTag(
  useCase: UseCase,
  path: string,
  tag: string,
  given?: { readonly arch?: string },
): Promise<Tag> {
  const { arch: wanted } = read<{ arch?: string }>(archShape, given)
  const container = await findContainer(useCase, containerPlace(path), 'pull')
  return tagOf(container, await findTag(useCase, container, { tag: checkTag('tag', tag), arch: wanted }))
}

/** How many changes back it counts as a return to what the tag pointed at. */
const rememberedChanges = 100

export async function putTag(useCase: UseCase, path: string, tag: string, given: TagTarget): Promise<Tag> {
  const { services, asker } = useCase
  const target = read<TagTarget>(
    { ...tagTarget, ...archShape, ...ifMatchShape, ifNoneMatch: z.enum(['*']).optional() },
    given,
  )
  checkTag('tag', tag)
  const declared = target.arch === undefined ? undefined : checkArch('arch', target.arch)
  const container = await findContainer(useCase, containerPlace(path), 'push')
  const { metadata } = services
  const found = await metadata.images.findByPath(placeOf(container), { digest: target.digest })
  if (found === undefined || !isVisible(found.image))
    throw new LibraryError('not-found', `no such image: ${path}:${hashFromDigest(target.digest)}`, { field: 'digest' })
  const known = await metadata.containers.history(container.id, {
    tag,
    ...(declared !== undefined && { arch: declared }),
    limit: rememberedChanges,
  })
  const isReturn = known.some((change) => change.digest === target.digest) && known[0]?.digest !== target.digest
  const expected = target.ifNoneMatch === '*' ? null : target.ifMatch
  const { arch: usedArch, change } = await setTag(services, asker, {
    container,
    image: found.image,
    tag,
    declared,
    ...(expected !== undefined && { expected }),
    activity: activityOf(asker, {
      cause: isReturn ? 'rollback' : 'api',
      ...(target.reason !== undefined && { details: { reason: target.reason } }),
    }),
  })
  const now = await metadata.tags.find(container.id, usedArch, tag)
  if (!change.isSet)
    throw new LibraryError('precondition-failed', `${tag} was moved in the meantime: look at it, and decide again`, {
      current: now === undefined ? null : tagOf(container, now),
    })
  if (now === undefined) throw absent(container, tag)
  return tagOf(container, now)
}

export async function deleteTag(
  useCase: UseCase,
  path: string,
  tag: string,
  given?: { readonly arch?: string } & IfMatch,
): Promise<void> {
  const { services, asker } = useCase
  const { arch: wanted, ifMatch } = read<{ arch?: string } & IfMatch>({ ...archShape, ...ifMatchShape }, given)
  const container = await findContainer(useCase, containerPlace(path), 'delete')
  const seen = await findTag(useCase, container, { tag: checkTag('tag', tag), arch: wanted })
  assertVersion(ifMatch, tagOf(container, seen))
  const { hooks, metadata, settings, emit } = services
  const { image, arch: usedArch } = seen
  const { principal, request } = asker
  await hooks.beforeDelete?.({ principal, request, path, image, tag, arch: usedArch })
  const outcome = await metadata.tags.remove({
    containerId: container.id,
    arch: usedArch,
    tag,
    imageId: image.id,
    keepImage: true,
    now: settings.clock(),
    activity: activityOf(asker, { cause: 'delete' }),
  })
  if (outcome === 'gone') throw absent(container, tag)
  if (outcome === 'moved') {
    const current = await metadata.tags.find(container.id, usedArch, tag)
    throw new LibraryError('precondition-failed', `${tag} was moved in the meantime: look at it, and decide again`, {
      current: current === undefined ? null : tagOf(container, current),
    })
  }
  emit('tag.removed', { path, imageId: image.id, digest: image.digest, tag, arch: usedArch }, asker.by)
}

function changeOf(record: TagHistoryRecord): TagChange {
  return {
    at: date(record.at),
    by: record.by.name,
    tag: record.tag,
    arch: record.arch,
    digest: record.digest,
    previous: record.previous,
    via: record.via,
    present: record.present,
  }
}

export async function listHistory(
  useCase: UseCase,
  path: string,
  given?: HistoryQuery & PageQuery,
): Promise<Page<TagChange>> {
  const { services, asker } = useCase
  const { page, query } = splitPage(read<HistoryQuery & PageQuery>(historyQuery, given))
  const container = await findContainer(useCase, containerPlace(path), 'pull')
  const found = await readPage<TagHistoryRecord>(services, asker, {
    list: 'history',
    query: { path, ...query },
    page,
    read: async ({ after, limit }) => {
      const items = await services.metadata.containers.history(container.id, {
        ...query,
        // one more tells whether there is another page
        limit: limit + 1,
        ...(after !== undefined && { before: Number(after) }),
      })
      const last = items[limit - 1]
      return { items: items.slice(0, limit), next: items.length > limit && last ? String(last.seq) : undefined }
    },
  })
  return mapPage(found, changeOf)
}
