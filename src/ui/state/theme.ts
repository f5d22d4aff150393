/** Light or dark: as the host says, as the reader chose, as the system is. */
import { type Signal, signal } from '@preact/signals'
import { config } from '../config.js'

export type Theme = 'system' | 'light' | 'dark'

const storageKey = 'sif-library.theme'
const dark = window.matchMedia('(prefers-color-scheme: dark)')
/** The host decided. */
export const isFixed: boolean = config.theme === 'light' || config.theme === 'dark'

function stored(): Theme {
  try {
    const value = localStorage.getItem(storageKey)
    return value === 'light' || value === 'dark' ? value : 'system'
  } catch {
    return 'system'
  }
}

export const theme: Signal<Theme> = signal(isFixed ? (config.theme as Theme) : stored())

function apply(): void {
  const chosen = theme.value === 'system' ? (dark.matches ? 'dark' : 'light') : theme.value
  document.documentElement.dataset.theme = chosen
}

export function startTheme(): void {
  apply()
  dark.addEventListener('change', apply)
}

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen
  try {
    localStorage.setItem(storageKey, chosen)
  } catch {
    // the choice then lasts as long as the page
  }
  apply()
}
