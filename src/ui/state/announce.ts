/** What is said in the one live region. */
import { type Signal, signal } from '@preact/signals'

export const said: Signal<string> = signal('')

/** Says it politely; the same words twice are said twice. */
export function announce(text: string): void {
  said.value = ''
  setTimeout(() => {
    said.value = text
  }, 50)
}
