/** Drawings of 16 by 16, in the colour of their text. */
import type { JSX } from 'preact'

const drawings = {
  search: (
    <>
      <circle cx="7" cy="7" r="4.5" />
      <path d="m10.5 10.5 3 3" />
    </>
  ),
  moon: <path d="M13.5 9.5A5.8 5.8 0 0 1 6.5 2.5a5.8 5.8 0 1 0 7 7z" />,
  sun: (
    <>
      <circle cx="8" cy="8" r="2.8" />
      <path d="M8 1.7v1.4M8 12.9v1.4M1.7 8h1.4M12.9 8h1.4M3.5 3.5l1 1M11.500 11.500l1 1M3.500 12.500l1-1M11.500 4.500l1-1" />
    </>
  ),
  copy: (
    <>
      <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
      <path d="M10.5 5.500v-2A1 1 0 0 0 9.500 2.500h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2" />
    </>
  ),
  check: <path d="m3.500 8.500 3 3 6-7" />,
  seal: (
    <>
      <path d="m5.500 8 1.800 1.800 3.400-3.600" />
      <circle cx="8" cy="8" r="5.800" />
    </>
  ),
  warning: (
    <path d="M8 5.500v3.200M8 11v.1M7 2.800 1.900 11.600A1.200 1.200 0 0 0 2.900 13.400h10.200a1.200 1.200 0 0 0 1-1.800L9 2.800a1.200 1.200 0 0 0-2 0z" />
  ),
  lock: (
    <>
      <rect x="3.500" y="7" width="9" height="6.500" rx="1.300" />
      <path d="M5.500 7V5a2.500 2.500 0 0 1 5 0v2" />
    </>
  ),
  globe: (
    <>
      <circle cx="8" cy="8" r="5.800" />
      <path d="M2.200 8h11.600M8 2.200c2 2 2.500 4 2.500 5.800S10 11.800 8 13.800C6 11.800 5.500 9.800 5.500 8S6 4.200 8 2.200z" />
    </>
  ),
  upload: (
    <path d="M8 10.500v-8M4.800 5.500 8 2.500l3.200 3M2.500 10v2.200a1.300 1.300 0 0 0 1.300 1.300h8.400a1.300 1.300 0 0 0 1.300-1.300V10" />
  ),
  download: (
    <path d="M8 2.500v8M4.800 7.500 8 10.500l3.200-3M2.500 10v2.200a1.300 1.300 0 0 0 1.300 1.300h8.400a1.300 1.300 0 0 0 1.300-1.300V10" />
  ),
  more: (
    <>
      <circle cx="3.500" cy="8" r=".7" />
      <circle cx="8" cy="8" r=".7" />
      <circle cx="12.500" cy="8" r=".7" />
    </>
  ),
  back: <path d="M5.500 3.500 2.500 6.500l3 3M2.500 6.500h6.800a4 4 0 0 1 0 8H7" />,
  close: <path d="m4 4 8 8M12 4l-8 8" />,
  pause: <path d="M5.500 3.500v9M10.500 3.500v9" />,
  play: <path d="M5 3.500v9l7-4.500z" />,
  file: (
    <path d="M9.500 2H4.300A1.300 1.300 0 0 0 3 3.300v9.400A1.300 1.300 0 0 0 4.300 14h7.400a1.300 1.300 0 0 0 1.300-1.300V5.500zM9.500 2v3.500H13" />
  ),
  plus: <path d="M8 3v10M3 8h10" />,
} satisfies Record<string, JSX.Element>

export type IconName = keyof typeof drawings

export const Icon = ({ name }: { readonly name: IconName }): JSX.Element => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
    {drawings[name]}
  </svg>
)

/** The mark of the registry, where the host has none of its own. */
export const Mark = (): JSX.Element => (
  <svg viewBox="0 0 20 20" aria-hidden="true">
    <path fill="currentColor" d="M3 2h14v4H3zM3 8h9v4H3zM3 14h14v4H3z" />
  </svg>
)
