/** Who did what: a line in the log for each event. */
import type { Library, LibraryEventName } from 'sif-library'
import type { ServerLogger } from './log.js'

/** Where each event goes; undefined: another line says it already. */
const levelOf: Readonly<Record<LibraryEventName, 'info' | 'debug' | undefined>> = {
  'image.published': 'info',
  'image.pulled': 'info',
  'image.deleted': 'info',
  'image.damaged': undefined,
  'tag.moved': 'info',
  'tag.removed': 'info',
  'upload.started': 'debug',
  'upload.completed': 'debug',
  'upload.aborted': 'debug',
  'visibility.changed': 'info',
  'place.deleted': 'info',
  'user.added': 'info',
  'user.changed': 'info',
  'user.removed': 'info',
  'token.created': 'info',
  'token.revoked': 'info',
  'session.created': 'info',
  'session.ended': 'info',
  'member.changed': 'info',
  'request.failed': undefined,
  'request.completed': undefined,
}

/**
 * Facts as people look for them: the hash in the form that references have, no second time beside
 * that of the line.
 */
export function shownFacts({ at: _, ...event }: { readonly at: number; readonly digest?: string }): object {
  const { digest, ...facts } = event
  return digest === undefined ? facts : { ...facts, hash: `sha256.${digest}` }
}

/** Listens to the library from now on. */
export function logEvents(library: Pick<Library, 'on'>, logger: ServerLogger): void {
  for (const [name, level] of Object.entries(levelOf) as [LibraryEventName, 'info' | 'debug' | undefined][]) {
    if (level === undefined || !logger.isLevelEnabled(level)) continue
    library.on(name, (event) =>
      level === 'info' ? logger.event(shownFacts(event), name) : logger.debug(shownFacts(event), name),
    )
  }
}
