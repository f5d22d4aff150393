/** Settings of a place: private or public, and its description. */
import type { ComponentChildren, JSX } from 'preact'
import { useId, useState } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { t } from '../messages/messages.js'
import { announce } from '../state/announce.js'
import { Failure } from './states.js'

interface PlaceSettingsProps {
  readonly path: string
  readonly description: string
  readonly isPrivate: boolean
  readonly switchLabel: string
  /** Said below the switch. */
  readonly hint?: ComponentChildren
  readonly update: (change: { readonly description?: string; readonly private?: boolean }) => Promise<void>
  /** After somebody else changed it: theirs is shown. */
  readonly reload: () => void
}

export function PlaceSettings(props: PlaceSettingsProps): JSX.Element {
  const { path, isPrivate, switchLabel, hint, update, reload } = props
  const [text, setText] = useState(props.description)
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<ApiError>()
  const id = useId()
  const change = async (wanted: Parameters<typeof update>[0], words: string): Promise<void> => {
    setBusy(true)
    setError(undefined)
    try {
      await update(wanted)
      announce(words)
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown
      setError(thrown)
      if (thrown.reason === 'precondition-failed') reload()
    } finally {
      setBusy(false)
    }
  }
  return (
    <div class="stack">
      {error !== undefined && <Failure error={error} />}
      <div>
        <div class="switch">
          <button
            type="button"
            role="switch"
            aria-checked={isPrivate}
            aria-labelledby={`${id}-switch`}
            disabled={isBusy}
            onClick={() =>
              void change(
                { private: !isPrivate },
                isPrivate ? t('container.nowPublic', { path }) : t('container.nowPrivate', { path }),
              )
            }
          />
          <b id={`${id}-switch`}>{switchLabel}</b>
        </div>
        {hint !== undefined && <p class="small muted">{hint}</p>}
      </div>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void change({ description: text }, t('container.saved'))
        }}
      >
        <div class="field">
          <label for={id}>{t('container.description')}</label>
          <textarea id={id} rows={3} value={text} onInput={({ currentTarget: { value } }) => setText(value)} />
        </div>
        <div>
          <button type="submit" disabled={isBusy || text === props.description}>
            {t('action.save')}
          </button>
        </div>
      </form>
    </div>
  )
}
