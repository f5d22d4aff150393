/** Telling listeners what happened: after the fact, and never in the way of a request. */

import type { Logger } from '../http/logger.js'
import type { EmitEvent, LibraryListeners } from './hooks.js'

export function createEmitter(listeners: LibraryListeners, logger: Logger): EmitEvent {
  return (name, event) => {
    const listener = listeners[name]
    if (listener === undefined) return
    const failed = (err: unknown): void => logger.error({ err, event: name }, 'an event listener failed')
    try {
      Promise.resolve(listener(event)).catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
