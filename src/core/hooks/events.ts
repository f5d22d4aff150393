/** Telling listeners what happened: after the fact, and never in the way of a request. */

import type { Logger } from '../http/logger.js'
import {
  type EmitEvent,
  eventNames,
  type LibraryEventName,
  type LibraryListener,
  type LibraryListeners,
} from './hooks.js'

export interface Emitter {
  readonly emit: EmitEvent
  /**
   * Adds a listener behind those that are there; the returned function removes it. Throws TypeError
   * for an unknown name.
   */
  readonly on: <Name extends LibraryEventName>(name: Name, listener: LibraryListener<Name>) => () => void
}

/** Adds every listener of a list of them. */
export function addListeners(on: Emitter['on'], listeners: LibraryListeners): void {
  const add = on as (name: LibraryEventName, listener: (event: never) => void | Promise<void>) => unknown
  for (const name of Object.keys(listeners) as LibraryEventName[]) {
    const listener = listeners[name]
    if (listener !== undefined) add(name, listener)
  }
}

export function createEmitter(
  listeners: LibraryListeners,
  { logger, clock }: { readonly logger: Logger; readonly clock: () => number },
): Emitter {
  type Listener = (event: never) => void | Promise<void>
  // each list is replaced, never changed: a listener may remove itself while it is called
  const lists = new Map<LibraryEventName, readonly Listener[]>()
  const add = (name: LibraryEventName, listener: Listener): void => {
    lists.set(name, [...(lists.get(name) ?? []), listener])
  }
  for (const name of eventNames) if (listeners[name] !== undefined) add(name, listeners[name])

  return {
    on: (name, listener) => {
      if (!eventNames.includes(name)) throw new TypeError(`no such event: ${name}; there are ${eventNames.join(', ')}`)
      if (typeof listener !== 'function') throw new TypeError(`the listener of ${name} is no function`)
      // a function of its own, so that one that was added twice is removed once
      const added: Listener = (event) => listener(event)
      add(name, added)
      return () => {
        lists.set(name, lists.get(name)?.filter((each) => each !== added) ?? [])
      }
    },
    emit: (name, facts, by) => {
      const list = lists.get(name)
      if (list === undefined || list.length === 0) return
      const event = {
        ...facts,
        at: clock(),
        principal: facts.principal ?? by?.principal?.id ?? null,
        principalName: by?.principal?.name ?? null,
        remote: by?.request.remote ?? null,
      }
      const failed = (err: unknown): void => logger.error({ err, event: name }, 'an event listener failed')
      for (const listener of list) {
        try {
          Promise.resolve(listener(event as never)).catch(failed)
        } catch (error) {
          failed(error)
        }
      }
    },
  }
}
