/** Access tokens: make, see, revoke. */
import type { JSX } from 'preact'
import { useId, useState } from 'preact/hooks'
import { ApiError, api } from '../api/client.js'
import type { AccessToken, NewAccessToken } from '../api/records.js'
import { signInLines } from '../commands.js'
import { t } from '../messages/messages.js'
import { CommandLine, CopyButton } from '../parts/copy.js'
import { Confirm, Dialog } from '../parts/dialog.js'
import { Icon } from '../parts/icon.js'
import { usePage } from '../parts/page.js'
import { Scroll } from '../parts/scroll.js'
import { When } from '../parts/small.js'
import { Empty, Failure, Skeleton } from '../parts/states.js'
import { announce } from '../state/announce.js'
import { useList } from '../state/loading.js'

const dayMs = 86_400_000
/** People are warned so many days before. */
const soonDays = 14
const choicesOfDays = [7, 30, 90, 365]

function Expiry({ expiresAt }: { readonly expiresAt: string | null }): JSX.Element {
  if (expiresAt === null) return <span class="muted">{t('tokens.never')}</span>
  const left = Date.parse(expiresAt) - Date.now()
  return (
    <>
      <When date={expiresAt} />{' '}
      {left <= 0 ? (
        <span class="chip bad">{t('tokens.expired')}</span>
      ) : (
        left < soonDays * dayMs && <span class="chip warn">{t('tokens.soon')}</span>
      )}
    </>
  )
}

type Use = 'all' | 'pull' | 'push'

interface NewTokenProps {
  readonly onMade: () => void
  readonly onClose: () => void
}

function NewToken({ onMade, onClose }: NewTokenProps): JSX.Element {
  const id = useId()
  const [label, setLabel] = useState('')
  const [use, setUse] = useState<Use>('all')
  const [below, setBelow] = useState('')
  const [days, setDays] = useState('90')
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<ApiError>()
  const [made, setMade] = useState<NewAccessToken>()

  const create = async (event: Event): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setError(undefined)
    const place = below.trim() === '' ? '' : `:${below.trim().replace(/^library:\/\/|\/+$/g, '')}`
    try {
      const token = await api.tokens.create({
        label: label.trim(),
        scopes: { all: [], pull: [`pull${place}`], push: [`pull${place}`, `push${place}`] }[use],
        expiresAt: days === '' ? undefined : new Date(Date.now() + Number(days) * dayMs).toISOString(),
      })
      setMade(token)
      onMade()
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown
      setError(thrown)
    } finally {
      setBusy(false)
    }
  }

  if (made !== undefined)
    return (
      <Dialog title={t('tokens.new')} onClose={onClose}>
        <div class="field">
          <label for={`${id}-made`}>{t('tokens.yours')}</label>
          <div class="row">
            <input
              id={`${id}-made`}
              class="mono"
              readOnly
              value={made.token}
              onFocus={({ currentTarget }) => currentTarget.select()}
            />
            <CopyButton text={made.token} label={t('tokens.copyToken')} />
          </div>
        </div>
        <p class="small">{t('tokens.once')}</p>
        <p class="label">{t('tokens.lines')}</p>
        <CommandLine
          text={signInLines('apptainer').join('\n')}
          label={t('start.signInLine')}
          copyLabel={t('start.copySignIn')}
          prompt={signInLines('apptainer').length === 1}
        />
        <div class="actions">
          <button type="button" class="primary" onClick={onClose}>
            {t('action.close')}
          </button>
        </div>
      </Dialog>
    )
  return (
    <Dialog title={t('tokens.new')} onClose={onClose}>
      <form class="stack" onSubmit={(event) => void create(event)}>
        {error !== undefined && <Failure error={error} />}
        <div class="field">
          <label for={`${id}-label`}>{t('tokens.label')}</label>
          <input
            id={`${id}-label`}
            value={label}
            required
            maxLength={100}
            autocomplete="off"
            onInput={({ currentTarget: { value } }) => setLabel(value)}
          />
        </div>
        <div class="field">
          <label for={`${id}-use`}>{t('tokens.what')}</label>
          <select id={`${id}-use`} value={use} onChange={({ currentTarget: { value } }) => setUse(value as Use)}>
            <option value="all">{t('tokens.all')}</option>
            <option value="push">{t('tokens.push')}</option>
            <option value="pull">{t('tokens.pull')}</option>
          </select>
        </div>
        {use !== 'all' && (
          <div class="field">
            <label for={`${id}-below`}>{t('tokens.below')}</label>
            <input
              id={`${id}-below`}
              value={below}
              placeholder={t('tokens.belowHint')}
              autocomplete="off"
              spellcheck={false}
              onInput={({ currentTarget: { value } }) => setBelow(value)}
            />
          </div>
        )}
        <div class="field">
          <label for={`${id}-days`}>{t('tokens.expires')}</label>
          <select id={`${id}-days`} value={days} onChange={({ currentTarget: { value } }) => setDays(value)}>
            {choicesOfDays.map((count) => (
              <option key={count} value={String(count)}>
                {t('tokens.days', { count })}
              </option>
            ))}
            <option value="">{t('tokens.never')}</option>
          </select>
        </div>
        <div class="actions">
          <button type="button" onClick={onClose}>
            {t('action.cancel')}
          </button>
          <button type="submit" class="primary" disabled={isBusy}>
            {t('tokens.create')}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

const labelOf = ({ label }: AccessToken): string => (label === '' ? t('tokens.noLabel') : label)

export function Tokens(): JSX.Element {
  const heading = usePage(t('tokens.title'))
  const list = useList('tokens', () => api.tokens.list())
  const [isMaking, setMaking] = useState(false)
  const [revoking, setRevoking] = useState<AccessToken>()
  // accounts of a host have no tokens of ours
  const isElsewhere = list.error !== undefined && (list.error.status === 404 || list.error.reason === 'not-offered')
  return (
    <>
      <div class="heading">
        <div>
          <h1 tabIndex={-1} ref={heading}>
            {t('tokens.title')}
          </h1>
          <p class="muted">{t('tokens.lead')}</p>
        </div>
        {!isElsewhere && (
          <button type="button" class="primary" onClick={() => setMaking(true)}>
            <Icon name="plus" />
            {t('tokens.new')}
          </button>
        )}
      </div>
      <div class="card">
        {isElsewhere ? (
          <Empty title={t('tokens.notHere')}>
            <p>{t('tokens.notHereText')}</p>
          </Empty>
        ) : list.data === undefined ? (
          list.error !== undefined ? (
            <div class="pad">
              <Failure error={list.error} again={list.reload} />
            </div>
          ) : (
            <Skeleton rows={3} />
          )
        ) : list.data.length === 0 ? (
          <Empty title={t('tokens.empty')} />
        ) : (
          <Scroll label={t('tokens.region')}>
            <table aria-label={t('tokens.table')}>
              <thead>
                <tr>
                  <th scope="col">{t('tokens.label')}</th>
                  <th scope="col">{t('tokens.scope')}</th>
                  <th scope="col" class="secondary">
                    {t('tokens.made')}
                  </th>
                  <th scope="col" class="secondary">
                    {t('tokens.used')}
                  </th>
                  <th scope="col">{t('tokens.expires')}</th>
                  <th scope="col">
                    <span class="hidden-text">{t('browse.actions')}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {list.data.map((token) => (
                  <tr key={token.id}>
                    <td class="wrap-anywhere">
                      <b>{labelOf(token)}</b>
                    </td>
                    <td>
                      {token.scopes.length === 0 ? (
                        <span class="muted">{t('tokens.everything')}</span>
                      ) : (
                        <span class="row">
                          {token.scopes.map((scope) => (
                            <span key={scope} class="tag">
                              {scope}
                            </span>
                          ))}
                        </span>
                      )}
                    </td>
                    <td class="secondary nowrap">
                      <When date={token.createdAt} />
                    </td>
                    <td class="secondary nowrap">
                      {token.lastUsedAt === null ? (
                        <span class="muted">{t('tokens.never')}</span>
                      ) : (
                        <When date={token.lastUsedAt} />
                      )}
                    </td>
                    <td class="nowrap">
                      <Expiry expiresAt={token.expiresAt} />
                    </td>
                    <td class="number">
                      <button
                        type="button"
                        class="compact-button danger"
                        aria-label={t('tokens.revoke', { label: labelOf(token) })}
                        onClick={() => setRevoking(token)}
                      >
                        {t('tokens.revokeButton')}
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </div>
      {isMaking && <NewToken onMade={list.reload} onClose={() => setMaking(false)} />}
      {revoking !== undefined && (
        <Confirm
          title={t('tokens.revokeTitle', { label: labelOf(revoking) })}
          button={t('tokens.revokeButton')}
          run={async () => {
            await api.tokens.revoke(revoking.id)
            announce(t('tokens.revoked', { label: labelOf(revoking) }))
            list.reload()
          }}
          onClose={() => setRevoking(undefined)}
        >
          <p>{t('tokens.revokeText')}</p>
        </Confirm>
      )}
    </>
  )
}
