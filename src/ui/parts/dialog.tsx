/** A dialog over the page: the browser keeps the focus in it, closes it on Escape, and gives the focus back. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { t } from '../messages/messages.js'
import { Failure } from './states.js'

interface DialogProps {
  readonly title: string
  /** `alertdialog` where something is about to be lost. */
  readonly role?: 'dialog' | 'alertdialog'
  readonly onClose: () => void
  readonly children: ComponentChildren
}

export function Dialog({ title, role = 'dialog', onClose, children }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const before = document.activeElement
    dialog.current?.showModal()
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      role={role}
      aria-labelledby={id}
      onClose={onClose}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
    >
      <div class="stack">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  )
}

interface ConfirmProps {
  readonly title: string
  readonly children: ComponentChildren
  /** Name of the button that does it. */
  readonly button: string
  readonly danger?: boolean
  /** Must be typed first. */
  readonly typed?: string
  readonly run: () => Promise<void>
  readonly onClose: () => void
}

/** Asks before something is done, and shows why it could not be done. */
export function Confirm({ title, children, button, danger = true, typed, run, onClose }: ConfirmProps): JSX.Element {
  const [text, setText] = useState('')
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<ApiError>()
  const id = useId()
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    if (typed !== undefined && text !== typed) return
    setBusy(true)
    setError(undefined)
    try {
      await run()
      onClose()
    } catch (thrown) {
      setError(thrown instanceof ApiError ? thrown : new ApiError(String(thrown), { status: 0, reason: 'internal' }))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Dialog title={title} role="alertdialog" onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {children}
        {typed !== undefined && (
          <div class="field">
            <label for={id}>{t('container.confirm', { path: typed })}</label>
            <input
              id={id}
              value={text}
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </div>
        )}
        {error !== undefined && <Failure error={error} />}
        <div class="actions">
          <button type="button" onClick={onClose}>
            {t('action.cancel')}
          </button>
          <button
            type="submit"
            class={danger ? 'danger-fill' : 'primary'}
            disabled={isBusy || (typed !== undefined && text !== typed)}
          >
            {button}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
