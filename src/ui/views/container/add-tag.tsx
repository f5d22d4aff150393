/** The dialog that sets a tag: a new one, or one that moves. */
import type { JSX } from 'preact'
import { useId, useState } from 'preact/hooks'
import { ApiError, api } from '../../api/client.js'
import type { Image, Tag } from '../../api/records.js'
import { dateTime, shortHash } from '../../format.js'
import { t } from '../../messages/messages.js'
import { Dialog } from '../../parts/dialog.js'
import { Failure } from '../../parts/states.js'
import { announce } from '../../state/announce.js'

interface AddTagProps {
  readonly path: string
  readonly tags: readonly Tag[]
  readonly images: readonly Image[]
  readonly onDone: () => void
  readonly onClose: () => void
}

/** What people know an image by. */
function nameOf(image: Image): string {
  const names = image.tags.map(({ tag }) => tag).join(', ') || t('container.untagged')
  const date = image.publishedAt === null ? '' : `, ${dateTime(image.publishedAt)}`
  return `${shortHash(image.digest)} ${image.arch ?? ''} (${names}${date})`
}

export function AddTag({ path, tags, images, onDone, onClose }: AddTagProps): JSX.Element {
  const id = useId()
  const [name, setName] = useState('')
  const [digest, setDigest] = useState(images[0]?.digest ?? '')
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<ApiError>()
  const image = images.find((candidate) => candidate.digest === digest)
  const arch = image?.arch ?? image?.tags[0]?.arch ?? 'amd64'
  const taken = tags.find((tag) => tag.tag === name.trim() && tag.arch === arch)

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setError(undefined)
    try {
      await api.tags.set(path, name.trim(), {
        ...{ digest, arch },
        ...(taken === undefined ? { isNew: true } : { ifMatch: taken.version }),
      })
      announce(t('tags.added', { tag: name.trim(), arch, hash: shortHash(digest) }))
      onDone()
      onClose()
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown
      setError(thrown)
      if (thrown.reason === 'precondition-failed') onDone()
    } finally {
      setBusy(false)
    }
  }

  return (
    <Dialog title={t('tags.addTitle')} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        {error !== undefined && <Failure error={error} />}
        <div class="field">
          <label for={`${id}-name`}>{t('tags.name')}</label>
          <input
            id={`${id}-name`}
            class="mono"
            value={name}
            required
            maxLength={128}
            pattern="[A-Za-z0-9_][A-Za-z0-9._+\-]*"
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            onInput={({ currentTarget: { value } }) => setName(value)}
          />
        </div>
        <div class="field">
          <label for={`${id}-image`}>{t('tags.target')}</label>
          <select id={`${id}-image`} value={digest} onChange={({ currentTarget: { value } }) => setDigest(value)}>
            {images.map((candidate) => (
              <option key={candidate.digest} value={candidate.digest}>
                {nameOf(candidate)}
              </option>
            ))}
          </select>
        </div>
        {taken !== undefined && taken.digest !== digest && (
          <p class="small muted">{t('tags.moves', { hash: shortHash(taken.digest) })}</p>
        )}
        <div class="actions">
          <button type="button" onClick={onClose}>
            {t('action.cancel')}
          </button>
          <button type="submit" class="primary" disabled={isBusy || name.trim() === ''}>
            {t('tags.add')}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
