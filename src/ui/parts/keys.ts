/** Keys of the whole page. */
import { useEffect } from 'preact/hooks'

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.matches('input, textarea, select') || target.isContentEditable)

/** Calls `on` for a key that nobody types into a field. */
export function useKey(key: string, on: (event: KeyboardEvent) => void): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.key !== key || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      if (document.querySelector('dialog[open]') !== null) return
      event.preventDefault()
      on(event)
    }
    document.addEventListener('keydown', listen)
    return () => document.removeEventListener('keydown', listen)
  })
}

/** In a table: arrows move between the links of its rows. */
export function moveInRows(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (step === undefined || !(event.target instanceof HTMLElement)) return
  const row = event.target.closest('tr')
  if (row === null || event.target.matches('select, input')) return
  const links = [...(row.closest('tbody')?.querySelectorAll<HTMLElement>('tr td:first-child a') ?? [])]
  const own = row.querySelector<HTMLElement>('td:first-child a')
  const next = links[links.indexOf(own as HTMLElement) + step]
  if (next === undefined) return
  event.preventDefault()
  next.focus()
}
