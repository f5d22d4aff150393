import { open } from 'node:fs/promises'
import type { InspectAllResult, InspectedItem, Library } from 'sif-library'
import { inspectSif, type SifInspection, type SifObject, type SifText } from 'sif-library/sif'
import type { Command, CommandContext, Terminal } from '../command.js'
import { UsageError, WorkError } from '../failure.js'
import { plainLine, plainText } from '../plain-text.js'
import { formatTable, printJson, printJsonOfFailure, stoppedMark } from '../print.js'
import { withLibrary } from '../registry.js'
import { untilDoneOrStopped } from '../serve/signals.js'

async function inspectFile(path: string): Promise<SifInspection> {
  const file = await open(path)
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new WorkError(`${path} is no file`)
    return await inspectSif({
      size: stat.size,
      read: async (offset, length) => {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset)
        return buffer.subarray(0, bytesRead)
      },
    })
  } finally {
    await file.close()
  }
}

/** Whether there is such a file; a reference has no leading dot or slash, and names a file only where one lies there. */
async function isFile(path: string): Promise<boolean> {
  if (path.startsWith('library:')) return false
  if (/^\.{0,2}\//.test(path)) return true
  return open(path).then(
    async (file) => {
      await file.close()
      return true
    },
    () => false,
  )
}

function detailsOf(object: SifObject): string {
  const { partition, signature, sbom, message, digest } = object
  if (partition !== undefined) return `${partition.fileSystem}, ${partition.role}, ${partition.arch ?? 'no arch'}`
  if (signature !== undefined) return signature.fingerprint ?? ''
  if (message !== undefined) return `${message.format}, ${message.kind}`
  return sbom?.format ?? digest ?? object.name
}

function linkOf({ link }: SifObject): string {
  if (link === null) return '-'
  return 'group' in link ? `group ${link.group}` : `object ${link.object}`
}

function printText(terminal: Terminal, title: string, found: SifText | null): void {
  if (found === null) return
  terminal.out('')
  terminal.out(`${title}:`)
  terminal.out(plainText(found.text.trimEnd()))
  if (found.truncated) terminal.out(`… (${found.bytes} bytes)`)
}

const yesOrNo = (value: boolean | null): string => (value === null ? 'not known' : value ? 'yes' : 'no')

/** For people. What signatures claim is called so: nothing of it is proven here. */
function print(terminal: Terminal, found: SifInspection): void {
  const { state, reason, kind, arch, encrypted, signed, header, objects, labels, signatures, sboms, notes } = found
  terminal.out(`state      ${state}${reason === null ? '' : ` (${reason})`}`)
  if (state !== 'sif') return
  const manifests = found.oci?.manifests ?? []
  terminal.out(`kind       ${kind}`)
  terminal.out(`arch       ${arch ?? 'not known'}`)
  terminal.out(`encrypted  ${yesOrNo(encrypted)}`)
  terminal.out(`signatures ${signed === true ? `${signatures.length} (claimed, not verified)` : 'none'}`)
  terminal.out(`created    ${header?.createdAt ?? 'not known'}`)
  terminal.out('')
  const rows = objects.map((object) => ({
    id: String(object.id),
    group: object.group === null ? '-' : String(object.group),
    link: linkOf(object),
    bytes: String(object.size),
    type: object.type,
    details: detailsOf(object),
  }))
  for (const line of formatTable(rows)) terminal.out(line)
  for (const { object, format, components } of sboms)
    terminal.out(`SBOM ${object}: ${format}${components === null ? '' : `, ${components} components`}`)
  for (const { digest, arch: of, os } of manifests)
    terminal.out(`OCI image ${plainLine(digest)}: ${plainLine(`${os ?? 'unknown'}/${of ?? 'unknown'}`)}`)
  if (labels !== null && Object.keys(labels).length > 0) {
    terminal.out('')
    terminal.out('labels:')
    for (const [name, value] of Object.entries(labels)) terminal.out(`  ${plainLine(name)}: ${plainLine(value)}`)
  }
  printText(terminal, 'definition file', found.definition)
  printText(terminal, 'runscript', found.runscript)
  printText(terminal, 'help', found.help)
  for (const note of notes) terminal.note(plainLine(note))
}

const describe = ({ outcome, path, digest, reason }: InspectedItem): string =>
  `${outcome} ${path} sha256.${digest}${reason === undefined ? '' : `: ${reason}`}`

async function inspectEverything(
  library: Library,
  { settings, terminal }: CommandContext,
  signal: AbortSignal,
): Promise<number> {
  const { json, again } = settings
  const items: InspectedItem[] = []
  const onItem = (item: InspectedItem, { inspected, unreadable }: InspectAllResult): void => {
    if (json) items.push(item)
    else if (item.outcome !== 'sif') terminal.out(describe(item))
    terminal.progress(`${inspected + unreadable} files`)
  }
  const result = await library.inspectAll({ again, onItem, signal }).catch((error: unknown) => {
    if (json) printJsonOfFailure(terminal, { items }, error)
    throw error
  })
  if (json) printJson(terminal, { ...result, ...stoppedMark(signal), items })
  else terminal.out(`${result.inspected} inspected, ${result.unreadable} unreadable`)
  if (signal.aborted) terminal.note('stopped; a later run goes on')
  return result.unreadable > 0 ? 1 : 0
}

export const inspect: Command = {
  name: 'inspect',
  summary:
    'show what a SIF file says of itself: objects, arch, labels, definition file; --all reads what is not read yet',
  args: [{ name: 'what', help: 'a file, or an image as in library://…', optional: true }],
  options: ['arch', 'all', 'again', 'json'],
  run: async (context) => {
    const {
      settings,
      terminal,
      args: [what],
    } = context
    const { all, again, arch, json } = settings
    if ((what === undefined) !== all) throw new UsageError('say which file or image, or --all')
    if (again && !all) throw new UsageError('--again goes with --all')
    if (what === undefined)
      return untilDoneOrStopped((signal) =>
        withLibrary(settings, (library) => inspectEverything(library, context, signal)),
      )
    if (await isFile(what)) {
      const found = await inspectFile(what)
      if (json) printJson(terminal, found)
      else print(terminal, found)
      return found.state === 'sif' ? 0 : 1
    }
    return withLibrary(settings, async (library) => {
      const { sif, ...image } = await library.inspect(what, arch === undefined ? {} : { arch })
      if (json) printJson(terminal, { ...image, sif })
      else {
        terminal.out(`image      ${image.path}:${image.hash} (${image.size} bytes)`)
        print(terminal, sif)
      }
      return sif.state === 'sif' ? 0 : 1
    })
  },
}
