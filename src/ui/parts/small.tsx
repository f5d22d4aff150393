/** Small things that many views show. */
import type { JSX } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { Link } from 'wouter-preact'
import type { ImageState } from '../api/records.js'
import { count, dateTime, exactly, size, when } from '../format.js'
import { t } from '../messages/messages.js'
import { Icon } from './icon.js'

export const Size = ({ bytes }: { readonly bytes: number }): JSX.Element => (
  <span title={exactly(bytes)}>{size(bytes)}</span>
)

export const When = ({ date }: { readonly date: string }): JSX.Element => (
  <time dateTime={date} title={dateTime(date)}>
    {when(date)}
  </time>
)

export const PrivateChip = (): JSX.Element => (
  <span class="chip info">
    <Icon name="lock" />
    {t('chip.private')}
  </span>
)

/** Signed or not: by a drawing and by a word. */
export const Seal = ({ signed }: { readonly signed: boolean | null }): JSX.Element | null =>
  signed === true ? (
    <span class="accent" title={t('chip.signed')}>
      <Icon name="seal" />
      <span class="hidden-text">{t('chip.signed')}</span>
    </span>
  ) : null

export function StateChip({ state }: { readonly state: ImageState }): JSX.Element | null {
  if (state === 'published') return null
  return (
    <span class={state === 'damaged' ? 'chip bad' : 'chip warn'}>
      <Icon name="warning" />
      {t(`chip.${state}`)}
    </span>
  )
}

/** `E/C/` in grey and the name. The link is named by its path. */
export function PathLink({ path }: { readonly path: string }): JSX.Element {
  const at = path.lastIndexOf('/') + 1
  return (
    <Link href={`/images/${path}`} class="name">
      <span>{path.slice(0, at)}</span>
      <b>{path.slice(at)}</b>
    </Link>
  )
}

/** A bar whose width is set by script: the policy of the page allows no style attribute. */
export function Fill({ share }: { readonly share: number }): JSX.Element {
  const bar = useRef<HTMLElement>(null)
  useLayoutEffect(() => {
    if (bar.current !== null) bar.current.style.width = `${Math.min(100, Math.max(0, share * 100))}%`
  }, [share])
  return <i ref={bar} />
}

interface SpaceMeterProps {
  readonly name: string
  readonly used: number
  readonly quota: number | null
}

/** What an entity holds, of what it may hold. */
export function SpaceMeter({ name, used, quota }: SpaceMeterProps): JSX.Element {
  return (
    <div>
      <div class="row">
        <Link href={`/images/${name}`} class="wrap-anywhere">
          <b>{name}</b>
        </Link>
        <span class="muted small spread" title={exactly(used)}>
          {quota === null
            ? t('space.noLimit', { used: size(used) })
            : t('space.of', { used: size(used), quota: size(quota) })}
        </span>
      </div>
      {quota !== null && (
        // biome-ignore lint/a11y/useSemanticElements: browsers draw <meter> each their own way
        <div
          class={used >= quota * 0.95 ? 'meter full' : 'meter'}
          role="meter"
          aria-label={t('space.used', { name })}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={quota === 0 ? 100 : Math.min(100, Math.round((used / quota) * 100))}
        >
          <Fill share={quota === 0 ? 1 : used / quota} />
        </div>
      )}
    </div>
  )
}

interface BarsProps {
  readonly values: readonly number[]
  readonly label: string
  readonly width: number
  readonly height: number
  readonly className?: string
}

/** Bars over time, oldest first. */
export function Bars({ values, label, width, height, className = 'spark' }: BarsProps): JSX.Element {
  const most = Math.max(...values, 1)
  const step = width / Math.max(values.length, 1)
  const total = values.reduce((sum, value) => sum + value, 0)
  return (
    <svg
      class={className}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${label}: ${count(total)}`}
    >
      {values.map((value, index) => {
        const tall = value === 0 ? 1 : Math.max(1.5, (value / most) * height)
        return (
          <rect
            key={index}
            x={index * step}
            y={height - tall}
            width={Math.max(0.5, step - Math.min(1, step / 3))}
            height={tall}
          />
        )
      })}
    </svg>
  )
}
