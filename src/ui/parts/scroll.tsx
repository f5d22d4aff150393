/** A wide table scrolls in a place of its own, which the keyboard reaches. */
import type { ComponentChildren, JSX } from 'preact'

interface ScrollProps {
  readonly label: string
  readonly children: ComponentChildren
}

export const Scroll = ({ label, children }: ScrollProps): JSX.Element => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: without a tab stop the keyboard cannot scroll it
  <section class="scroll" aria-label={label} tabIndex={0}>
    {children}
  </section>
)
