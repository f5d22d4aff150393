/** Lines to copy. */
import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { t } from '../messages/messages.js'
import { announce } from '../state/announce.js'
import { Icon } from './icon.js'

function selectText(element: Element): void {
  const range = document.createRange()
  range.selectNodeContents(element)
  const selection = window.getSelection()
  selection?.removeAllRanges()
  selection?.addRange(range)
}

/** Without the clipboard of the browser (plain http): through the selection. */
function copySelection(text: string): boolean {
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'hidden-text'
  area.setAttribute('aria-hidden', 'true')
  const before = document.activeElement
  const place = before?.closest('dialog') ?? document.body
  place.append(area)
  area.select()
  // the only way where `navigator.clipboard` is not offered
  const copied = document.execCommand('copy')
  area.remove()
  if (before instanceof HTMLElement) before.focus()
  return copied
}

/** Copies a text and says so; where nothing is allowed to copy, `element` is selected. */
export async function copyText(text: string, element?: Element | null): Promise<void> {
  const copied = await Promise.resolve(navigator.clipboard?.writeText(text)).then(
    () => navigator.clipboard !== undefined,
    () => false,
  )
  if (copied || copySelection(text)) {
    if (element) selectText(element)
    announce(t('said.copied'))
    return
  }
  if (element) selectText(element)
  announce(t('said.selected'))
}

interface CommandProps {
  readonly text: string
  /** Name of the line. */
  readonly label: string
  /** Name of its button. */
  readonly copyLabel: string
  /** A line of a shell has a prompt before it, which is not copied. */
  readonly prompt?: boolean
  readonly wrap?: boolean
}

/** A line with a button that copies it. */
export function CommandLine({ text, label, copyLabel, prompt = true, wrap = false }: CommandProps): JSX.Element {
  const code = useRef<HTMLElement>(null)
  return (
    <div class={wrap ? 'command wrap' : 'command'}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is no place for a line of code */}
      <code tabIndex={0} role="group" aria-label={label}>
        {prompt && <i aria-hidden="true">$ </i>}
        <span ref={code}>{text}</span>
      </code>
      <button
        type="button"
        class="ghost compact-button"
        aria-label={copyLabel}
        onClick={() => void copyText(text, code.current)}
      >
        <Icon name="copy" />
        <span>{t('action.copy')}</span>
      </button>
    </div>
  )
}

/** A button that copies what stands nowhere. */
export const CopyButton = ({ text, label }: { readonly text: string; readonly label: string }): JSX.Element => (
  <button type="button" class="ghost compact-button" aria-label={label} onClick={() => void copyText(text)}>
    <Icon name="copy" />
  </button>
)
