/** Who is signed in, and what registry this is. */
import { type Signal, signal } from '@preact/signals'
import { ApiError, api } from '../api/client.js'
import type { Session } from '../api/records.js'

/** undefined until the first answer. */
export const session: Signal<Session | undefined> = signal(undefined)
/** Why there is no answer. */
export const sessionError: Signal<ApiError | undefined> = signal(undefined)

/** Asks again who is signed in. */
export async function loadSession(): Promise<void> {
  try {
    session.value = await api.session.get()
    sessionError.value = undefined
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    sessionError.value = error
  }
}

/** Whether the registry as a whole may be administered. */
export const isAdmin = (): boolean => session.value?.can.includes('admin') === true
