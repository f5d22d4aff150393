import type { Command } from '../command.js'
import { type Control, controlOptions, withControl } from '../control/open.js'
import { type Place, readContainer } from '../control/reference.js'
import { UsageError } from '../failure.js'
import { printJson } from '../print.js'

const reference = { name: 'reference', help: 'entity/collection/container:TAG, or :sha256.HEX' }
const archOf = (arch: string | undefined): { readonly arch?: string } => (arch === undefined ? {} : { arch })

/** Digest of the image that a reference names; `latest` where it has no selector. */
async function digestOf(control: Control, { path, tag = 'latest', digest }: Place, arch: string | undefined) {
  return digest ?? (await control.tags.get(path, tag, archOf(arch))).digest
}

export const tag: Command = {
  name: 'tag',
  summary: 'set or move a tag to the image of a reference of the same container',
  args: [reference, { name: 'tag', help: 'the tag to set' }],
  options: [...controlOptions, 'arch'],
  run: ({ settings, args: [text = '', name = ''], terminal }) => {
    const place = readContainer(text)
    return withControl(settings, async (control) => {
      const digest = await digestOf(control, place, settings.arch)
      const set = await control.tags.set(place.path, name, { digest, ...archOf(settings.arch) })
      if (settings.json) printJson(terminal, set)
      else terminal.out(`${place.path}:${set.tag} (${set.arch}) is ${set.hash}`)
      return 0
    })
  },
}

export const untag: Command = {
  name: 'untag',
  summary: 'take a tag away; its image stays, and is listed as untagged',
  args: [{ name: 'reference', help: 'entity/collection/container:TAG' }],
  options: [...controlOptions, 'arch'],
  run: ({ settings, args: [text = ''], terminal }) => {
    const { path, tag: name } = readContainer(text)
    if (name === undefined) throw new UsageError(`${text} names no tag: entity/collection/container:TAG`)
    return withControl(settings, async (control) => {
      await control.tags.delete(path, name, archOf(settings.arch))
      if (settings.json) printJson(terminal, { removed: name, path })
      else terminal.out(`${path} has no tag ${name} any more`)
      return 0
    })
  },
}
