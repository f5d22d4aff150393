/** Loading what a view shows, with its states. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import type { Page } from '../api/records.js'

export interface Loaded<T> {
  readonly data: T | undefined
  readonly error: ApiError | undefined
  /** Nothing came for 200 ms: a skeleton is shown. */
  readonly isSlow: boolean
  readonly isLoading: boolean
  /** Asks again; what is there stays until the answer. */
  readonly reload: () => void
}

const slowMs = 200

const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError
    ? error
    : new ApiError(error instanceof Error ? error.message : String(error), {
        status: 0,
        reason: 'internal',
        cause: error,
      })

/** Calls `load` for each new `key`; an answer that comes too late is dropped. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: ApiError; done: boolean }>({ key, done: false })
  const [round, setRound] = useState(0)
  const [isSlow, setSlow] = useState(false)
  const current = useRef(load)
  current.current = load
  useEffect(() => {
    const controller = new AbortController()
    const timer = setTimeout(() => setSlow(true), slowMs)
    setState((before) => (before.key === key ? { ...before, done: false } : { key, done: false }))
    current
      .current(controller.signal)
      .then(
        (data) => !controller.signal.aborted && setState({ key, data, done: true }),
        (error: unknown) => !controller.signal.aborted && setState({ key, error: asApiError(error), done: true }),
      )
      .finally(() => {
        clearTimeout(timer)
        if (!controller.signal.aborted) setSlow(false)
      })
    return () => {
      controller.abort()
      clearTimeout(timer)
    }
  }, [key, round])
  const reload = useCallback(() => setRound((before) => before + 1), [])
  const mine = state.key === key
  return {
    data: mine ? state.data : undefined,
    error: mine ? state.error : undefined,
    isSlow: isSlow && !(mine && state.done),
    isLoading: !(mine && state.done),
    reload,
  }
}

export interface LoadedList<T> extends Loaded<readonly T[]> {
  /** Absent on the last page. */
  readonly more: (() => void) | undefined
  readonly isLoadingMore: boolean
}

/** The same for a list with pages; `more` adds the next one. */
export function useList<T>(
  key: string,
  load: (cursor: string | undefined, signal: AbortSignal | undefined) => Promise<Page<T>>,
): LoadedList<T> {
  const first = useLoaded(key, (signal) => load(undefined, signal))
  const [rest, setRest] = useState<{ of: Page<T> | undefined; items: readonly T[]; next: string | null }>()
  const [isLoadingMore, setLoadingMore] = useState(false)
  const [moreError, setMoreError] = useState<ApiError>()
  const follows = rest !== undefined && rest.of === first.data ? rest : undefined
  const next = follows === undefined ? (first.data?.next ?? null) : follows.next
  const more = (): void => {
    const of = first.data
    setLoadingMore(true)
    load(next ?? undefined, undefined)
      .then(
        (page) => {
          setMoreError(undefined)
          setRest({ of, items: [...(follows?.items ?? []), ...page.items], next: page.next })
        },
        (error: unknown) => setMoreError(asApiError(error)),
      )
      .finally(() => setLoadingMore(false))
  }
  return {
    ...first,
    data: first.data && [...first.data.items, ...(follows?.items ?? [])],
    error: first.error ?? moreError,
    more: next === null ? undefined : more,
    isLoadingMore,
  }
}
