/** The card with the lines that pull: by tag, and exactly these bytes. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Container, Image, Tag } from '../../api/records.js'
import { definitionLines, nextflowLine, pullLine } from '../../commands.js'
import { shortHash } from '../../format.js'
import { t } from '../../messages/messages.js'
import { isAnonymous } from '../../parts/container-table.js'
import { CommandLine } from '../../parts/copy.js'
import { TabPanel, Tabs } from '../../parts/tabs.js'

type How = 'apptainer' | 'singularity' | 'definition' | 'nextflow'

interface PullCardProps {
  readonly container: Container
  readonly tags: readonly Tag[]
  readonly chosen: Tag | undefined
  /** Fixed by the address of the page. */
  readonly image: Image | undefined
  readonly isPrivate: boolean
  readonly onChoose: (choice: { readonly tag: string; readonly arch: string }) => void
}

export function PullCard({ container, tags, chosen, image, isPrivate, onChoose }: PullCardProps): JSX.Element {
  const [how, setHow] = useState<How>('apptainer')
  const names = [...new Set(tags.map(({ tag }) => tag))]
  const archs = tags.filter(({ tag }) => tag === chosen?.tag).map(({ arch }) => arch)
  const place = { path: container.path, anonymous: isAnonymous() && !isPrivate }
  const textOf = (selector: string, arch?: string): string => {
    if (how === 'definition') return definitionLines({ ...place, selector })
    if (how === 'nextflow') return nextflowLine({ ...place, selector })
    return pullLine(how, { ...place, selector, arch })
  }
  const prompt = how === 'apptainer' || how === 'singularity'
  const digest = image?.digest ?? chosen?.digest
  const byHash = '#'
  return (
    <section class="card gap-below" aria-labelledby="pull">
      <header>
        <h2 id="pull">{t('container.pull')}</h2>
        <select
          class="compact mono"
          aria-label={t('container.tag')}
          value={image === undefined ? chosen?.tag : byHash}
          onChange={({ currentTarget: { value } }) =>
            value !== byHash && onChoose({ tag: value, arch: chosen?.arch ?? 'amd64' })
          }
        >
          {image !== undefined && <option value={byHash}>{shortHash(image.digest)}</option>}
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        {image === undefined && chosen !== undefined && (
          <select
            class="compact"
            aria-label={t('container.arch')}
            value={chosen.arch}
            onChange={({ currentTarget: { value } }) => onChoose({ tag: chosen.tag, arch: value })}
          >
            {archs.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
        <Tabs
          label={t('container.how')}
          prefix="how"
          look="segments"
          className="spread"
          chosen={how}
          onChoose={setHow}
          tabs={[
            { id: 'apptainer', label: 'Apptainer' },
            { id: 'singularity', label: 'Singularity' },
            { id: 'definition', label: t('container.definition') },
            { id: 'nextflow', label: 'Nextflow' },
          ]}
        />
      </header>
      <TabPanel prefix="how" chosen={how} className="pad lines">
        {image === undefined && chosen !== undefined && (
          <>
            <h3 class="title">{t('container.byTag')}</h3>
            <CommandLine
              text={textOf(chosen.tag, chosen.arch)}
              label={t('container.pullLine')}
              copyLabel={t('container.copyPull')}
              prompt={prompt}
            />
          </>
        )}
        {digest !== undefined && (
          <>
            <h3 class="title">{t('container.byHash')}</h3>
            <CommandLine
              text={textOf(`sha256.${digest}`)}
              label={image === undefined ? t('container.hashLine') : t('container.pullLine')}
              copyLabel={image === undefined ? t('container.copyHash') : t('container.copyPull')}
              prompt={prompt}
            />
          </>
        )}
        {isPrivate && (
          <>
            <span />
            <p class="small muted">{t('container.privateHint')}</p>
          </>
        )}
      </TabPanel>
    </section>
  )
}
