/** The title of the window, and where the focus goes after a navigation. */
import type { RefObject } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { title as registry } from '../config.js'

let navigated = false

/** Called by the router: the next view takes the focus to its heading. */
export function markNavigation(): void {
  navigated = true
}

/** Sets the title; the returned reference belongs to the heading of the view, with `tabIndex={-1}`. */
export function usePage(title: string): RefObject<HTMLHeadingElement> {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} - ${registry}`
    if (!navigated || heading.current === null) return
    navigated = false
    heading.current.focus({ preventScroll: true })
    window.scrollTo(0, 0)
  }, [title])
  return heading
}
