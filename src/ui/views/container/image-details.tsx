/** What the file of an image says of itself. Anybody may have made it: all of it is shown as text. */
import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { api } from '../../api/client.js'
import type { SifInspection, SifLink, SifObject } from '../../api/records.js'
import { count, size, visible } from '../../format.js'
import { rich, t } from '../../messages/messages.js'
import { copyText } from '../../parts/copy.js'
import { Icon } from '../../parts/icon.js'
import { Scroll } from '../../parts/scroll.js'
import { Empty, Failure, Skeleton } from '../../parts/states.js'
import { useLoaded } from '../../state/loading.js'

export type DetailsTab = 'definition' | 'labels' | 'contents'

interface ImageDetailsProps {
  readonly path: string
  readonly digest: string
  /** What people call the image: `1.0 amd64`, or the start of its hash. */
  readonly name: string
  readonly tab: DetailsTab
}

/** Asks once for all three tabs, when the first of them is opened. */
export function ImageDetails({ path, digest, name, tab }: ImageDetailsProps): JSX.Element {
  const found = useLoaded(`${path} ${digest}`, (signal) => api.images.details(path, digest, signal))
  const details = found.data
  if (found.error !== undefined)
    return (
      <div class="pad">
        <Failure error={found.error} again={found.reload} />
      </div>
    )
  if (details === undefined) return found.isSlow ? <Skeleton rows={4} /> : <div aria-busy="true" />
  if (details.state !== 'sif')
    return (
      <Empty title={t(`details.${details.state}`)}>
        {details.reason !== null && <p class="wrap-anywhere">{visible(details.reason)}</p>}
      </Empty>
    )
  const parts = { details, name }
  return (
    <>
      {tab === 'definition' && <Definition {...parts} />}
      {tab === 'labels' && <Labels {...parts} />}
      {tab === 'contents' && <Contents {...parts} />}
      {details.notes.length > 0 && (
        <ul class="small muted wrap-anywhere">
          {details.notes.map((note) => (
            <li key={note}>{visible(note)}</li>
          ))}
        </ul>
      )}
    </>
  )
}

interface PartProps {
  readonly details: SifInspection
  readonly name: string
}

/** Nothing is shown of what a file has: it was too large, or broken. */
function missingTitle({ objects }: SifInspection, type: 'definition' | 'labels'): string {
  return t(objects.some((object) => object.type === type) ? 'details.unread' : `details.no.${type}`)
}

function Definition({ details, name }: PartProps): JSX.Element {
  const text = useRef<HTMLPreElement>(null)
  const { definition } = details
  if (definition === null) return <Empty title={missingTitle(details, 'definition')} />
  return (
    <>
      <div class="filter">
        <span class="muted small">
          {name}, {size(definition.bytes)}
          {definition.truncated && <> · {t('details.cut')}</>}
        </span>
        <button
          type="button"
          class="ghost compact-button spread"
          aria-label={t('details.copyDefinition')}
          onClick={() => void copyText(definition.text, text.current)}
        >
          <Icon name="copy" />
          <span>{t('action.copy')}</span>
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is no place for a file */}
      <pre class="code-block" tabIndex={0} role="group" aria-label={t('container.definition')} ref={text}>
        {visible(definition.text)}
      </pre>
    </>
  )
}

function Labels({ details, name }: PartProps): JSX.Element {
  const labels = Object.entries(details.labels ?? {}).sort(([one], [other]) => (one < other ? -1 : 1))
  if (labels.length === 0)
    return <Empty title={details.labels === null ? missingTitle(details, 'labels') : t('details.no.labels')} />
  return (
    <>
      <p class="filter muted small">{name}</p>
      <Scroll label={t('details.labelsRegion')}>
        <table aria-label={t('details.labels')}>
          <thead>
            <tr>
              <th scope="col">{t('details.label')}</th>
              <th scope="col">{t('details.value')}</th>
            </tr>
          </thead>
          <tbody>
            {labels.map(([label, value]) => (
              <tr key={label}>
                <td class="mono wrap-anywhere">{visible(label)}</td>
                <td class="file-text">{visible(value)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  )
}

/** What is known of an object beside its type, in the words of the format. */
function factsOf(object: SifObject, { sboms }: SifInspection): string {
  const { name, partition, signature, message, sbom, digest } = object
  const components = sboms.find((each) => each.object === object.id)?.components
  return [
    name,
    ...(partition === undefined ? [] : [partition.fileSystem, partition.role, partition.arch]),
    partition?.encrypted === true && t('container.encrypted'),
    signature?.hash,
    ...(message === undefined ? [] : [message.format, message.kind]),
    sbom?.format,
    typeof components === 'number' && t('details.components', { count: components }),
    digest,
  ]
    .filter((fact) => typeof fact === 'string' && fact !== '')
    .join(', ')
}

function Contents({ details, name }: PartProps): JSX.Element {
  const { objects } = details
  if (objects.length === 0) return <Empty title={t('details.no.objects')} />
  return (
    <>
      <p class="filter muted small">{name}</p>
      <Scroll label={t('details.objectsRegion')}>
        <table aria-label={t('details.objects')}>
          <thead>
            <tr>
              <th scope="col" class="number">
                {t('details.id')}
              </th>
              <th scope="col">{t('details.type')}</th>
              <th scope="col" class="number">
                {t('details.bytes')}
              </th>
              <th scope="col">{t('details.facts')}</th>
            </tr>
          </thead>
          <tbody>
            {objects.map((object) => (
              <tr key={object.id}>
                <td class="number">{object.id}</td>
                <td class="nowrap">{object.type}</td>
                <td class="number">{count(object.size)}</td>
                <td class="file-text">{visible(factsOf(object, details))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {details.signatures.length > 0 && <Signatures details={details} />}
    </>
  )
}

function coversText(link: SifLink | null): string {
  if (link === null) return t('container.unknown')
  return 'group' in link ? t('details.group', { id: link.group }) : t('details.object', { id: link.object })
}

function Signatures({ details }: Pick<PartProps, 'details'>): JSX.Element {
  return (
    <>
      <div class="pad">
        <h3>{t('details.signatures')}</h3>
        <p class="small muted">{rich('details.claims', { command: <code>apptainer verify</code> })}</p>
      </div>
      <Scroll label={t('details.signaturesRegion')}>
        <table aria-label={t('details.signatures')}>
          <thead>
            <tr>
              <th scope="col" class="number">
                {t('details.id')}
              </th>
              <th scope="col">{t('details.format')}</th>
              <th scope="col">{t('details.covers')}</th>
              <th scope="col">{t('details.key')}</th>
            </tr>
          </thead>
          <tbody>
            {details.signatures.map(({ object, format, covers, claimedFingerprint }) => (
              <tr key={object}>
                <td class="number">{object}</td>
                <td>{format}</td>
                <td class="nowrap">{coversText(covers)}</td>
                <td class="mono wrap-anywhere">{claimedFingerprint ?? t('container.unknown')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  )
}
