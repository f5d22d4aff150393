/** What a tag pointed at, and the way back. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { api } from '../../api/client.js'
import type { Tag, TagChange } from '../../api/records.js'
import { shortHash } from '../../format.js'
import { rich, t } from '../../messages/messages.js'
import { Confirm } from '../../parts/dialog.js'
import { Icon } from '../../parts/icon.js'
import { When } from '../../parts/small.js'
import { Failure, Skeleton } from '../../parts/states.js'
import { announce } from '../../state/announce.js'
import { useList } from '../../state/loading.js'

interface TagHistoryProps {
  readonly path: string
  readonly tag: Tag
  readonly mayPush: boolean
  /** After a change: the tags are asked for anew. */
  readonly reload: () => void
}

export function TagHistory({
  path,
  tag: { tag, arch, digest, version },
  mayPush,
  reload,
}: TagHistoryProps): JSX.Element {
  const list = useList(`${path} ${tag} ${arch} ${version}`, (cursor, signal) =>
    api.history(path, { tag, arch, cursor, limit: 20 }, signal),
  )
  const [target, setTarget] = useState<string>()
  return (
    <div class="history-box">
      <h3 class="small">{rich('tags.history', { tag: <span class="tag">{tag}</span>, arch })}</h3>
      {list.error !== undefined && <Failure error={list.error} again={list.reload} />}
      {list.data === undefined && list.error === undefined && <Skeleton rows={2} />}
      {list.data?.length === 0 && <p class="small muted">{t('history.empty')}</p>}
      <ol>
        {list.data?.map((change, index) => (
          <Change
            key={`${change.at} ${change.digest}`}
            change={change}
            isNow={index === 0 && change.digest === digest}
            onRollBack={
              mayPush && change.present && change.digest !== null && change.digest !== digest
                ? () => setTarget(change.digest ?? undefined)
                : undefined
            }
          />
        ))}
      </ol>
      {list.more !== undefined && (
        <button type="button" class="compact-button" disabled={list.isLoadingMore} onClick={list.more}>
          {t('action.more')}
        </button>
      )}
      {target !== undefined && (
        <Confirm
          title={t('history.title', { tag, arch })}
          button={t('history.rollBack')}
          danger={false}
          run={async () => {
            await api.tags.set(path, tag, { digest: target, arch, ifMatch: version })
            announce(t('history.done', { tag, arch, hash: shortHash(target) }))
            reload()
          }}
          onClose={() => setTarget(undefined)}
        >
          <p>{t('history.text', { from: shortHash(digest), to: shortHash(target), tag })}</p>
        </Confirm>
      )}
    </div>
  )
}

interface ChangeProps {
  readonly change: TagChange
  readonly isNow: boolean
  readonly onRollBack: (() => void) | undefined
}

function Change({ change, isNow, onRollBack }: ChangeProps): JSX.Element {
  const hash = change.digest === null ? '' : shortHash(change.digest)
  return (
    <li>
      <span class={isNow ? 'dot on' : 'dot'} aria-hidden="true" />
      <span class="muted">
        <When date={change.at} />
      </span>
      <span class="mono">{hash}</span>
      <span class="muted">{rich(`history.${change.via}`, { who: <b>{change.by ?? t('history.somebody')}</b> })}</span>
      <span class="end">
        {isNow && <span class="chip good">{t('history.now')}</span>}
        {onRollBack !== undefined && (
          <button
            type="button"
            class="compact-button"
            aria-label={t('history.rollBackTo', { hash })}
            onClick={onRollBack}
          >
            <Icon name="back" />
            {t('history.rollBack')}
          </button>
        )}
        {!isNow && change.digest !== null && !change.present && <span class="chip">{t('history.gone')}</span>}
      </span>
    </li>
  )
}
