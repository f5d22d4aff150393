import { formatBytes } from 'sif-library'
import type { Command } from '../command.js'
import { type Control, controlOptions, withControl } from '../control/open.js'
import { type Place, readPlace } from '../control/reference.js'
import { UsageError } from '../failure.js'
import { printJson } from '../print.js'

/** What goes, and how. */
function deletionOf(control: Control, { path, depth, digest }: Place) {
  if (digest !== undefined)
    return { preview: () => control.images.preview(path, digest), go: () => control.images.delete(path, digest) }
  if (depth === 3) return { preview: () => control.containers.preview(path), go: () => control.containers.delete(path) }
  if (depth === 2)
    return {
      preview: () => control.collections.preview(path),
      go: () => control.collections.delete(path, { recursive: true }),
    }
  return { preview: () => control.entities.preview(path), go: () => control.entities.delete(path, { recursive: true }) }
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

export const deleteCommand: Command = {
  name: 'delete',
  summary: 'delete an image, a container, a collection or an entity with all that is in it; says first what goes',
  args: [
    { name: 'reference', help: 'entity, entity/collection, entity/collection/container, or that with :sha256.HEX' },
  ],
  options: [...controlOptions, 'yes'],
  run: ({ settings, args: [text = ''], terminal }) => {
    const place = readPlace(text)
    if (place.tag !== undefined)
      throw new UsageError(`${text} is a tag: untag takes it away, and :sha256.HEX names the image`)
    return withControl(settings, async (control) => {
      const { preview, go } = deletionOf(control, place)
      const found = await preview()
      const { collections, containers, images, tags, bytes } = found
      const parts = [
        ...(collections > 0 ? [plural(collections, 'collection')] : []),
        ...(containers > 0 ? [plural(containers, 'container')] : []),
        ...[plural(images, 'image'), plural(tags, 'tag'), formatBytes(bytes)],
      ]
      const isDone = settings.yes
      if (isDone) await go()
      if (settings.json) printJson(terminal, { ...found, deleted: isDone })
      else terminal.out(`${found.path}: ${parts.join(', ')}${isDone ? ' deleted' : ' would go'}`)
      if (!isDone) terminal.note('nothing was deleted: say --yes')
      return isDone ? 0 : 1
    })
  },
}
