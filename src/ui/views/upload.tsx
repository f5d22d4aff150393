/** Upload: where to, which files, and how far each is. */
import type { JSX } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { Link, useSearch } from 'wouter-preact'
import { ApiError, api } from '../api/client.js'
import type { Space, Tag } from '../api/records.js'
import { pullLine, pushLine } from '../commands.js'
import { duration, shortHash, size } from '../format.js'
import { rich, t } from '../messages/messages.js'
import { CommandLine } from '../parts/copy.js'
import { Icon } from '../parts/icon.js'
import { usePage } from '../parts/page.js'
import { Fill } from '../parts/small.js'
import { Failure, reasonText } from '../parts/states.js'
import { announce } from '../state/announce.js'
import { useLoaded } from '../state/loading.js'
import { isAdmin, session } from '../state/session.js'
import { type RememberedUpload, remembered } from '../upload/memory.js'
import { readSifFile } from '../upload/sif-file.js'
import { addUpload, areUnderWay, type FileUpload, isSameFile, type UploadState, uploads } from '../upload/uploads.js'

const namePattern = /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}$/

interface Where {
  readonly namespace: string
  readonly collection: string
  readonly container: string
  readonly tags: string
}

const tagsOf = ({ tags }: Where): readonly string[] =>
  tags
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')

const pathOf = ({ namespace, collection, container }: Where): string => `${namespace}/${collection}/${container}`

/** The first thing that cannot be, in words. */
function mistakeIn(where: Where): string | undefined {
  for (const name of [where.namespace, where.collection, where.container])
    if (name !== '' && !namePattern.test(name)) return t('upload.badName', { name })
  const bad = tagsOf(where).find((tag) => !tagPattern.test(tag))
  return bad === undefined ? undefined : t('upload.badTag', { name: bad })
}

const isWhole = (where: Where): boolean =>
  where.namespace !== '' && where.collection !== '' && where.container !== '' && tagsOf(where).length > 0

/** Tags of a container that may not be there: asked for by a list, since a browser logs each 404 as an error. */
async function tagsOfContainer(path: string, signal: AbortSignal): Promise<readonly Tag[]> {
  const [entity, collection] = path.split('/')
  const { items } = await api.containers.list({ q: path, entity, collection, limit: 200 }, signal)
  if (!items.some((container) => container.path === path)) return []
  return (await api.tags.list(path, { limit: 200 }, signal)).items
}

/** The value once it stands still for so long. */
function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms)
    return () => clearTimeout(timer)
  }, [value, ms])
  return settled
}

interface VerdictProps {
  readonly where: Where
  readonly spaces: readonly Space[] | undefined
}

/** May I, is there room, which tag moves away from what. */
function Verdict({ where, spaces }: VerdictProps): JSX.Element | null {
  const path = useSettled(isWhole(where) && mistakeIn(where) === undefined ? pathOf(where) : '', 400)
  const existing = useLoaded(path, (signal) => (path === '' ? Promise.resolve([]) : tagsOfContainer(path, signal)))
  const mistake = mistakeIn(where)
  if (mistake !== undefined)
    return (
      <p class="small danger" role="alert">
        {mistake}
      </p>
    )
  if (where.namespace === '' || spaces === undefined) return null
  const space = spaces.find(({ name }) => name === where.namespace)
  const mayMake = isAdmin() || where.namespace === session.value?.principal?.name
  if (space === undefined && !mayMake)
    return (
      <p class="small warning">
        {t('upload.mayNot', { name: where.namespace, names: spaces.map(({ name }) => name).join(', ') || '-' })}
      </p>
    )
  const moving = (existing.data ?? []).filter(({ tag }) => tagsOf(where).includes(tag))
  return (
    <p class="small muted">
      <span class="accent">
        <Icon name="check" />
      </span>{' '}
      {t('upload.may')}{' '}
      {space === undefined
        ? t('upload.mayNew')
        : space.quotaBytes !== null &&
          t('upload.used', { used: size(space.usedBytes + space.reservedBytes), quota: size(space.quotaBytes) })}{' '}
      {moving.map(({ tag, arch, digest }) => (
        <span key={`${tag} ${arch}`}>
          {rich('upload.moves', {
            tag: <span class="tag">{`${tag} ${arch}`}</span>,
            hash: <span class="mono">{shortHash(digest)}</span>,
          })}{' '}
        </span>
      ))}
    </p>
  )
}

/** Why a file cannot be sent to this place. */
async function refusalOf(file: File, space: Space | undefined): Promise<{ arch?: string; refusal?: string }> {
  const most = session.value?.registry.limits.maxImageBytes ?? Number.POSITIVE_INFINITY
  const sif = await readSifFile(file)
  if (sif === undefined) return { refusal: 'not-sif' }
  const { arch } = sif
  const known = arch === undefined ? {} : { arch }
  if (file.size > most) return { ...known, refusal: t('upload.tooLarge', { size: size(most) }) }
  if (space?.quotaBytes != null) {
    const room = Math.max(0, space.quotaBytes - space.usedBytes - space.reservedBytes)
    if (file.size > room) return { ...known, refusal: t('upload.noSpace', { size: size(room), name: space.name }) }
  }
  return known
}

/** Uploads that an earlier page left: the same file goes on where it stopped. */
function Interrupted(): JSX.Element {
  const [list, setList] = useState<readonly { readonly upload: RememberedUpload; readonly done: number }[]>([])
  const [mistake, setMistake] = useState<string>()
  const mine = new Set(uploads.value.flatMap(({ destination, file }) => [`${destination.value?.path} ${file.size}`]))
  useEffect(() => {
    void (async () => {
      const known = await Promise.all(
        (await remembered.list()).map(async (upload) => {
          try {
            const { parts = [], state } = await api.uploads.get(upload.id)
            if (state === 'open') return { upload, done: parts.reduce((sum, part) => sum + part.size, 0) }
          } catch (error) {
            // gone, or of another account of this browser
            if (!(error instanceof ApiError) || ![404, 410].includes(error.status)) return undefined
          }
          await remembered.delete(upload.id)
          return undefined
        }),
      )
      setList(known.filter((entry) => entry !== undefined))
    })()
  }, [])
  const choose = async (earlier: RememberedUpload, file: File): Promise<void> => {
    const verdict = await isSameFile(earlier, file)
    if (verdict !== 'same') {
      setMistake(t('upload.otherFile', { reason: t(verdict === 'size' ? 'upload.otherSize' : 'upload.otherBytes') }))
      return
    }
    setMistake(undefined)
    addUpload({ file, arch: earlier.arch, earlier }).resume()
  }
  const shown = list.filter(({ upload }) => !mine.has(`${upload.path} ${upload.size}`))
  return (
    <>
      {mistake !== undefined && (
        <div class="note bad" role="alert">
          {mistake}
        </div>
      )}
      {shown.map(({ upload, done }) => (
        <div class="note warn" role="status" key={upload.id}>
          <Icon name="warning" />
          <div class="text">
            {rich('upload.stopped', { file: <b>{upload.name}</b>, done: size(done), size: size(upload.size) })}
          </div>
          <div class="row">
            <label class="button compact-button">
              {t('upload.chooseFile')}
              <input
                class="hidden-text"
                type="file"
                onChange={({ currentTarget: { files } }) => {
                  const [file] = files ?? []
                  if (file !== undefined) void choose(upload, file)
                }}
              />
            </label>
            <button
              type="button"
              class="ghost compact-button"
              onClick={() => {
                setList(list.filter((entry) => entry.upload !== upload))
                void remembered.delete(upload.id)
                void api.uploads.abort(upload.id).catch(() => undefined)
              }}
            >
              {t('upload.giveUp')}
            </button>
          </div>
        </div>
      ))}
    </>
  )
}

interface FieldProps {
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
  readonly options?: readonly string[]
  readonly placeholder?: string
}

function Field({ label, value, onChange, options, placeholder }: FieldProps): JSX.Element {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        value={value}
        list={options === undefined ? undefined : `${id}-list`}
        placeholder={placeholder}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
      {options !== undefined && (
        <datalist id={`${id}-list`}>
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      )}
    </div>
  )
}

export function Upload(): JSX.Element {
  const heading = usePage(t('upload.title'))
  const given = new URLSearchParams(useSearch()).get('path')?.split('/') ?? []
  const [where, setWhere] = useState<Where>({
    namespace: given[0] ?? session.value?.principal?.name ?? '',
    collection: given[1] ?? '',
    container: given[2] ?? '',
    tags: 'latest',
  })
  const [isOver, setOver] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  const spaces = useLoaded('spaces', () => api.spaces())
  const namespace = useSettled(where.namespace, 400)
  const collections = useLoaded(`collections ${namespace}`, async (signal) =>
    namePattern.test(namespace)
      ? (await api.collections.list({ entity: namespace, limit: 100 }, signal)).items.map(({ name }) => name)
      : [],
  )
  const change = (part: Partial<Where>): void => setWhere({ ...where, ...part })
  const space = spaces.data?.find(({ name }) => name === where.namespace)
  const list = uploads.value
  const waiting = list.filter(({ state, refusal }) => state.value.phase === 'waiting' && refusal === undefined)
  const flying = list.filter(({ state }) => ['reading', 'sending'].includes(state.value.phase))
  const canStart = waiting.length > 0 && isWhole(where) && mistakeIn(where) === undefined

  useEffect(() => {
    const warn = (event: BeforeUnloadEvent): void => {
      if (areUnderWay()) event.preventDefault()
    }
    window.addEventListener('beforeunload', warn)
    return () => window.removeEventListener('beforeunload', warn)
  }, [])

  const add = async (files: Iterable<File>): Promise<void> => {
    for (const file of files) {
      const { arch, refusal } = await refusalOf(file, space)
      addUpload({ file, arch, refusal })
      // a file often has the name of its container
      const stem = file.name.replace(/\.sif$/i, '').toLowerCase()
      setWhere((before) =>
        before.container === '' && refusal === undefined
          ? { ...before, container: /^[a-z0-9]+/.exec(stem)?.[0] ?? '' }
          : before,
      )
    }
  }
  const most = session.value?.registry.limits.maxImageBytes
  return (
    <>
      <div class="heading">
        <div>
          <h1 tabIndex={-1} ref={heading}>
            {t('upload.title')}
          </h1>
          <p class="muted">{t('upload.lead')}</p>
        </div>
      </div>
      <Interrupted />
      <div class="columns">
        <div class="stack">
          <section class="card" aria-labelledby="where">
            <header>
              <h2 id="where">{t('upload.where')}</h2>
            </header>
            <div class="pad stack">
              <div class="path-fields">
                <Field
                  label={t('upload.namespace')}
                  value={where.namespace}
                  onChange={(namespace) => change({ namespace })}
                  options={spaces.data?.map(({ name }) => name) ?? []}
                />
                <span aria-hidden="true">/</span>
                <Field
                  label={t('upload.collection')}
                  value={where.collection}
                  onChange={(collection) => change({ collection })}
                  options={collections.data ?? []}
                />
                <span aria-hidden="true">/</span>
                <Field
                  label={t('upload.container')}
                  value={where.container}
                  onChange={(container) => change({ container })}
                />
                <span aria-hidden="true">:</span>
                <Field label={t('upload.tags')} value={where.tags} onChange={(tags) => change({ tags })} />
              </div>
              <Verdict where={where} spaces={spaces.data} />
            </div>
          </section>
          {/* biome-ignore lint/a11y/noStaticElementInteractions: dropping has the file input as its other form */}
          <div
            class={isOver ? 'drop over' : 'drop'}
            onDragOver={(event) => {
              event.preventDefault()
              setOver(true)
            }}
            onDragLeave={() => setOver(false)}
            onDrop={(event) => {
              event.preventDefault()
              setOver(false)
              void add(event.dataTransfer?.files ?? [])
            }}
          >
            <div>
              <Icon name="upload" />
              <b>{t('upload.drop')}</b> {t('upload.or')}
              <label class="button compact-button">
                {t('upload.choose')}
                <input
                  class="hidden-text"
                  type="file"
                  multiple
                  ref={input}
                  aria-label={t('upload.choose')}
                  onChange={({ currentTarget }) => {
                    const files = [...(currentTarget.files ?? [])]
                    currentTarget.value = ''
                    void add(files)
                  }}
                />
              </label>
            </div>
            {most !== undefined && <p class="small muted">{t('upload.limit', { size: size(most) })}</p>}
          </div>
          <section class="card" aria-labelledby="files">
            <header>
              <h2 id="files">{t('upload.files')}</h2>
              <div class="row spread">
                {flying.length > 1 && (
                  <button type="button" class="compact-button" onClick={() => flying.map((upload) => upload.pause())}>
                    <Icon name="pause" />
                    {t('upload.pauseAll')}
                  </button>
                )}
                <button
                  type="button"
                  class="primary compact-button"
                  disabled={!canStart}
                  onClick={() => waiting.map((upload) => upload.start({ path: pathOf(where), tags: tagsOf(where) }))}
                >
                  {t('upload.start')}
                </button>
              </div>
            </header>
            {list.length === 0 && <p class="pad muted">{t('upload.noFiles')}</p>}
            <ul class="files">
              {list.map((upload) => (
                <FileRow key={upload.key} upload={upload} />
              ))}
            </ul>
          </section>
        </div>
        <aside class="stack">
          <FromShell where={where} file={list[0]?.file.name ?? 'tool.sif'} />
          <section class="card" aria-labelledby="what">
            <header>
              <h2 id="what">{t('upload.what')}</h2>
            </header>
            <ol class="pad how">
              {(['read', 'send', 'prove', 'tag'] as const).map((step) => (
                <li key={step}>
                  <b>{t(`upload.${step}`)}</b> {t(`upload.${step}Text`)}
                </li>
              ))}
            </ol>
          </section>
        </aside>
      </div>
    </>
  )
}

function FromShell({ where, file }: { readonly where: Where; readonly file: string }): JSX.Element {
  const path = pathOf({
    ...where,
    namespace: where.namespace || 'NAMESPACE',
    collection: where.collection || 'COLLECTION',
    container: where.container || 'CONTAINER',
  })
  return (
    <section class="card" aria-labelledby="shell">
      <header>
        <h2 id="shell">{t('upload.shell')}</h2>
      </header>
      <div class="pad stack">
        <p class="small muted">{t('upload.same')}</p>
        <CommandLine
          wrap
          text={pushLine('apptainer', file, path, tagsOf(where).join(',') || 'latest')}
          label={t('start.pushLine')}
          copyLabel={t('start.copyPush')}
        />
        <p class="small muted">
          {rich('upload.unsigned', { flag: <code>-U</code>, command: <code>apptainer sign</code> })}
        </p>
      </div>
    </section>
  )
}

/** What is said of a file on its way. */
function statusOf({ phase, done, speed, parts, error, wasPresent }: UploadState, total: number): readonly string[] {
  const amount = { done: size(done), size: size(total) }
  switch (phase) {
    case 'waiting':
      return [t('upload.waits', { size: size(total) })]
    case 'reading':
      return [t('upload.reading', amount)]
    case 'sending':
      return [
        t('upload.sending', amount),
        ...(speed > 0
          ? [t('upload.speed', { size: size(speed) }), t('upload.left', { time: duration((total - done) / speed) })]
          : []),
        ...(parts.total > 1 ? [t('upload.parts', { done: parts.done.size, total: parts.total })] : []),
      ]
    case 'paused':
      return [t('upload.paused', amount)]
    case 'proving':
      return [t('upload.proving')]
    case 'published':
      return wasPresent === true ? [t('upload.had')] : []
    case 'failed':
      return [t('upload.failed', { reason: error === undefined ? '' : reasonText(error) })]
  }
}

/** Says progress at each quarter, not at each byte. */
function useSaidProgress(name: string, percent: number, isMoving: boolean): void {
  const last = useRef(0)
  useEffect(() => {
    const quarter = Math.floor(percent / 25)
    if (!isMoving || quarter <= last.current) return
    last.current = quarter
    announce(t('upload.said', { file: name, percent: quarter * 25 }))
  }, [name, percent, isMoving])
}

/** At most eighty cells: a cell may stand for several parts. */
function Cells({ parts }: { readonly parts: UploadState['parts'] }): JSX.Element {
  const cells = Math.min(parts.total, 80)
  return (
    <div class="cells" aria-hidden="true">
      {Array.from({ length: cells }, (_, index) => {
        const from = Math.floor((index * parts.total) / cells) + 1
        const to = Math.floor(((index + 1) * parts.total) / cells)
        const numbers = Array.from({ length: to - from + 1 }, (_each, step) => from + step)
        const isDone = numbers.every((number) => parts.done.has(number))
        const isActive = numbers.some((number) => parts.active.has(number))
        return <i key={index} class={isDone ? 'done' : isActive ? 'active' : ''} />
      })}
    </div>
  )
}

function FileRow({ upload }: { readonly upload: FileUpload }): JSX.Element {
  const { file, arch, refusal } = upload
  const state = upload.state.value
  const { phase, done, error } = state
  const isMoving = phase === 'reading' || phase === 'sending'
  const showsBar = isMoving || phase === 'paused' || phase === 'proving'
  const percent = file.size === 0 ? 100 : Math.floor((done / file.size) * 100)
  const status = statusOf(state, file.size)
  useSaidProgress(file.name, percent, phase === 'sending')
  const path = upload.destination.value?.path
  const tag = upload.destination.value?.tags[0]
  return (
    <li>
      <Icon name={phase === 'published' ? 'check' : 'file'} />
      <div class="main">
        <div class="row">
          <b class="wrap-anywhere">{file.name}</b>
          {arch !== undefined && <span class="chip">{arch}</span>}
          {phase === 'published' && <span class="chip good">{t('upload.published')}</span>}
          {refusal === 'not-sif' && <span class="chip bad">{t('upload.notSif')}</span>}
        </div>
        {refusal !== undefined && (
          <p class="small muted">
            {refusal === 'not-sif'
              ? rich('upload.notSifText', { command: <code>apptainer build image.sif image.def</code> })
              : refusal}
          </p>
        )}
        {showsBar && (
          <div
            class={phase === 'reading' ? 'progress reading' : 'progress'}
            role="progressbar"
            aria-label={t(phase === 'reading' ? 'upload.readingOf' : 'upload.of', { file: file.name })}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={percent}
            aria-valuetext={`${percent} %, ${status.join(', ')}`}
          >
            <Fill share={done / Math.max(1, file.size)} />
          </div>
        )}
        {showsBar && state.parts.total > 1 && <Cells parts={state.parts} />}
        {refusal === undefined && phase !== 'failed' && status.length > 0 && (
          <div class="row small muted">
            {status.map((words) => (
              <span key={words.split(':')[0]}>{words}</span>
            ))}
          </div>
        )}
        {phase === 'failed' && error !== undefined && <Failure error={error} again={upload.resume} />}
        {phase === 'published' && path !== undefined && tag !== undefined && (
          <>
            <CommandLine
              text={pullLine('apptainer', { path, selector: tag, arch, anonymous: false })}
              label={t('container.pullLine')}
              copyLabel={t('container.copyPull')}
            />
            <Link href={`/images/${path}`}>{path}</Link>
          </>
        )}
      </div>
      <div class="row">
        {isMoving && (
          <button
            type="button"
            class="ghost compact-button"
            aria-label={t('upload.pause', { file: file.name })}
            onClick={upload.pause}
          >
            <Icon name="pause" />
          </button>
        )}
        {phase === 'paused' && (
          <button
            type="button"
            class="ghost compact-button"
            aria-label={t('upload.resume', { file: file.name })}
            onClick={upload.resume}
          >
            <Icon name="play" />
          </button>
        )}
        {phase !== 'proving' && (
          <button
            type="button"
            class="ghost compact-button"
            aria-label={t(phase === 'waiting' || phase === 'published' ? 'upload.remove' : 'upload.cancel', {
              file: file.name,
            })}
            onClick={() => void upload.cancel()}
          >
            <Icon name="close" />
          </button>
        )}
      </div>
    </li>
  )
}
