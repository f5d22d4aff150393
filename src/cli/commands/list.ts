import { formatBytes } from 'sif-library'
import type { Command } from '../command.js'
import { type Control, controlOptions, withControl } from '../control/open.js'
import { readPlace } from '../control/reference.js'
import { printRows, type Rows } from '../print.js'

const dateOf = (text: string | null): string => (text === null ? '-' : text.replace(/\.\d+Z$/, 'Z'))

async function take<T>(items: AsyncIterable<T>, most: number): Promise<{ items: readonly T[]; isCut: boolean }> {
  const taken: T[] = []
  for await (const item of items) {
    if (taken.length === most) return { items: taken, isCut: true }
    taken.push(item)
  }
  return { items: taken, isCut: false }
}

/** Tags of a container, then its images without a tag. */
async function listContainer(control: Control, path: string, most: number): Promise<Rows> {
  const tags = await take(control.tags.all(path), most)
  const untagged = await take(control.images.all(path, { untagged: true }), most - tags.items.length)
  const rows = [
    ...tags.items.map(({ tag, arch, hash, size, updatedAt, changedBy }) => ({
      tag,
      arch,
      hash,
      size,
      updatedAt,
      changedBy,
    })),
    ...untagged.items.map(({ arch, hash, size, publishedAt, pushedBy }) => ({
      ...{ tag: null, arch, hash, size, updatedAt: publishedAt, changedBy: pushedBy },
    })),
  ]
  return {
    values: rows,
    isCut: tags.isCut || untagged.isCut,
    shown: rows.map(({ tag, arch, hash, size, updatedAt, changedBy }) => ({
      tag: tag ?? '(untagged)',
      arch: arch ?? '-',
      size: formatBytes(size),
      changed: dateOf(updatedAt),
      by: changedBy ?? '-',
      hash,
    })),
  }
}

async function listContainers(
  control: Control,
  within: { readonly entity?: string; readonly collection?: string },
  most: number,
): Promise<Rows> {
  const { items, isCut } = await take(control.containers.all({ ...within, sort: 'name' }), most)
  return {
    isCut,
    values: items.map(
      ({ path, description, latest, archs, usedBytes, images, pulls, lastPulledAt, updatedAt, ...rest }) => ({
        ...{ path, description, private: rest.private || rest.privateByCollection },
        ...{
          latest: latest?.tag ?? null,
          archs,
          usedBytes,
          images,
          pulls,
          lastPulledAt,
          updatedAt,
          changedBy: rest.changedBy,
        },
      }),
    ),
    shown: items.map(({ path, latest, usedBytes, images, pulls, updatedAt, changedBy, ...rest }) => ({
      path,
      visibility: rest.private || rest.privateByCollection ? 'private' : 'public',
      latest: latest?.tag ?? '-',
      images: String(images),
      size: formatBytes(usedBytes),
      pulls: String(pulls),
      changed: dateOf(updatedAt),
      by: changedBy ?? '-',
    })),
  }
}

export const list: Command = {
  name: 'list',
  summary: 'list containers, of everything, of an entity or of a collection; or the tags and images of a container',
  args: [{ name: 'path', help: 'entity, entity/collection or entity/collection/container', optional: true }],
  options: [...controlOptions, 'csv', 'limit'],
  run: ({ settings, args: [text], terminal }) =>
    withControl(settings, async (control) => {
      const { limit } = settings
      const place = text === undefined ? undefined : readPlace(text)
      const [entity, collection] = place?.path.split('/') ?? []
      const rows =
        place?.depth === 3
          ? await listContainer(control, place.path, limit)
          : await listContainers(
              control,
              { ...(entity !== undefined && { entity }), ...(collection !== undefined && { collection }) },
              limit,
            )
      printRows(terminal, settings, rows)
      if (rows.isCut) terminal.note(`only the first ${limit} are shown: --limit shows more`)
      if (rows.values.length === 0) terminal.note('nothing is here')
      return 0
    }),
}
