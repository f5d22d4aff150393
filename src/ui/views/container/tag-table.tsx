/** The tags of a container, each with its history; and its images without a tag. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Link } from 'wouter-preact'
import { api } from '../../api/client.js'
import type { Container, Image, Tag } from '../../api/records.js'
import { pullLine } from '../../commands.js'
import { shortHash } from '../../format.js'
import { t } from '../../messages/messages.js'
import { isAnonymous } from '../../parts/container-table.js'
import { copyText } from '../../parts/copy.js'
import { Confirm } from '../../parts/dialog.js'
import { Icon } from '../../parts/icon.js'
import { Menu } from '../../parts/menu.js'
import { Scroll } from '../../parts/scroll.js'
import { Seal, Size, When } from '../../parts/small.js'
import { announce } from '../../state/announce.js'
import { useLoaded } from '../../state/loading.js'
import { AddTag } from './add-tag.js'
import { TagHistory } from './tag-history.js'

interface TagTableProps {
  readonly container: Container
  readonly tags: readonly Tag[]
  readonly reload: () => void
}

const keyOf = ({ tag, arch }: Pick<Tag, 'tag' | 'arch'>): string => `${tag} ${arch}`

export function TagTable({ container, tags, reload }: TagTableProps): JSX.Element {
  const { path } = container
  const can = container.can ?? []
  const [text, setText] = useState('')
  const [open, setOpen] = useState<string>()
  const [removing, setRemoving] = useState<Tag>()
  const [isAdding, setAdding] = useState(false)
  const shown = tags.filter(({ tag }) => tag.toLowerCase().includes(text.trim().toLowerCase()))
  const untagged = useLoaded(`untagged ${path} ${container.updatedAt} ${tags.length}`, (signal) =>
    api.images.list(path, { untagged: true, limit: 50 }, signal),
  )
  const images = useLoaded(`images ${path} ${container.updatedAt}`, (signal) =>
    can.includes('push') ? api.images.list(path, { limit: 100 }, signal) : Promise.resolve(undefined),
  )

  return (
    <>
      <div class="filter">
        <input
          type="search"
          aria-label={t('container.filterTags')}
          placeholder={t('container.filterTags')}
          value={text}
          onInput={({ currentTarget: { value } }) => setText(value)}
        />
        {can.includes('push') && images.data !== undefined && images.data.items.length > 0 && (
          <button type="button" class="compact-button spread" onClick={() => setAdding(true)}>
            {t('tags.add')}
          </button>
        )}
      </div>
      <Scroll label={t('container.tagsRegion')}>
        <table aria-label={t('container.tags')}>
          <thead>
            <tr>
              <th scope="col">{t('tags.tag')}</th>
              <th scope="col">{t('tags.arch')}</th>
              <th scope="col" class="secondary">
                {t('tags.hash')}
              </th>
              <th scope="col" class="number secondary">
                {t('browse.size')}
              </th>
              <th scope="col">{t('tags.moved')}</th>
              <th scope="col">
                <span class="hidden-text">{t('browse.actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((tag) => (
              <TagRows
                key={keyOf(tag)}
                container={container}
                tag={tag}
                isOpen={open === keyOf(tag)}
                onToggle={() => setOpen(open === keyOf(tag) ? undefined : keyOf(tag))}
                onRemove={() => setRemoving(tag)}
                reload={reload}
              />
            ))}
            {(untagged.data?.items ?? []).map((image) => (
              <UntaggedRow key={image.digest} image={image} />
            ))}
          </tbody>
        </table>
      </Scroll>
      {shown.length === 0 && tags.length > 0 && <p class="pad muted">{t('tags.nothing')}</p>}
      {isAdding && (
        <AddTag
          path={path}
          tags={tags}
          images={images.data?.items ?? []}
          onDone={reload}
          onClose={() => setAdding(false)}
        />
      )}
      {removing !== undefined && (
        <Confirm
          title={t('tags.deleteTitle', { tag: removing.tag, arch: removing.arch })}
          button={t('tags.delete')}
          run={async () => {
            await api.tags.delete(path, removing.tag, { arch: removing.arch, ifMatch: removing.version })
            announce(t('tags.deleted', { tag: removing.tag, arch: removing.arch }))
            reload()
          }}
          onClose={() => setRemoving(undefined)}
        >
          <p>{t('tags.deleteText', { hash: shortHash(removing.digest) })}</p>
        </Confirm>
      )}
    </>
  )
}

interface TagRowsProps {
  readonly container: Container
  readonly tag: Tag
  readonly isOpen: boolean
  readonly onToggle: () => void
  readonly onRemove: () => void
  readonly reload: () => void
}

function TagRows({ container, tag, isOpen, onToggle, onRemove, reload }: TagRowsProps): JSX.Element {
  const { path } = container
  const names = { tag: tag.tag, arch: tag.arch }
  const can = container.can ?? []
  const line = pullLine('apptainer', {
    ...{ path, selector: tag.tag, arch: tag.arch },
    anonymous: isAnonymous(),
  })
  return (
    <>
      <tr>
        <td>
          <span class="tag" title={tag.tag}>
            {tag.tag}
          </span>
        </td>
        <td>{tag.arch}</td>
        <td class="nowrap secondary">
          <Link class="mono" href={`/images/${path}/sha256:${tag.digest}`} title={tag.digest}>
            {shortHash(tag.digest)}
          </Link>{' '}
          <Seal signed={tag.signed} />
        </td>
        <td class="number secondary">
          <Size bytes={tag.size} />
        </td>
        <td>
          <span class="nowrap">
            <When date={tag.updatedAt} />
          </span>{' '}
          {tag.changedBy !== null && <span class="muted small">{tag.changedBy}</span>}
        </td>
        <td class="number nowrap">
          <button
            type="button"
            class="ghost compact-button"
            aria-label={t('tags.copy', names)}
            onClick={() => void copyText(line)}
          >
            <Icon name="copy" />
          </button>
          <button
            type="button"
            class="ghost compact-button"
            aria-label={t('tags.history', names)}
            aria-expanded={isOpen}
            onClick={onToggle}
          >
            <Icon name="back" />
          </button>
          <Menu
            label={t('tags.more', names)}
            buttonClass="ghost compact-button"
            items={[
              { label: t('tags.download'), href: api.images.downloadUrl(path, tag.digest) },
              ...(can.includes('delete') ? [{ label: t('tags.delete'), danger: true, onSelect: onRemove }] : []),
            ]}
          >
            <Icon name="more" />
          </Menu>
        </td>
      </tr>
      {isOpen && (
        <tr class="history">
          <td colSpan={6}>
            <TagHistory path={path} tag={tag} mayPush={can.includes('push')} reload={reload} />
          </td>
        </tr>
      )}
    </>
  )
}

function UntaggedRow({ image }: { readonly image: Image }): JSX.Element {
  return (
    <tr>
      <td class="muted">{t('container.untagged')}</td>
      <td>{image.arch ?? ''}</td>
      <td class="nowrap secondary">
        <Link class="mono" href={`/images/${image.path}/sha256:${image.digest}`} title={image.digest}>
          {shortHash(image.digest)}
        </Link>{' '}
        <Seal signed={image.signed} />
      </td>
      <td class="number secondary">
        <Size bytes={image.size} />
      </td>
      <td>
        {image.publishedAt !== null && <When date={image.publishedAt} />}{' '}
        {image.pushedBy !== null && <span class="muted small">{image.pushedBy}</span>}
      </td>
      <td class="number nowrap">
        <Link class="button ghost compact-button" href={`/images/${image.path}/sha256:${image.digest}`}>
          {shortHash(image.digest)}
        </Link>
      </td>
    </tr>
  )
}
