/** Search: containers, and the entities and collections above them. */
import type { JSX } from 'preact'
import { Link, useSearch } from 'wouter-preact'
import { api } from '../api/client.js'
import { t } from '../messages/messages.js'
import { ContainerTable } from '../parts/container-table.js'
import { usePage } from '../parts/page.js'
import { Empty } from '../parts/states.js'
import { useList, useLoaded } from '../state/loading.js'

function Places({ q }: { readonly q: string }): JSX.Element | null {
  const found = useLoaded(q, async (signal) => {
    const [entities, collections] = await Promise.all([
      api.entities.list({ q, limit: 8 }, signal),
      api.collections.list({ q, limit: 8 }, signal),
    ])
    return [...entities.items.map(({ name }) => name), ...collections.items.map(({ path }) => path)]
  })
  if (found.data === undefined || found.data.length === 0) return null
  return (
    <section class="card" aria-labelledby="places">
      <header>
        <h2 id="places">{t('search.places')}</h2>
      </header>
      <div class="pad row">
        {found.data.map((path) => (
          <Link key={path} class="chip" href={`/images/${path}`}>
            {path}
          </Link>
        ))}
      </div>
    </section>
  )
}

export function Search(): JSX.Element {
  const q = (new URLSearchParams(useSearch()).get('q') ?? '').trim()
  const title = q === '' ? t('search.title') : t('search.results', { q })
  const heading = usePage(title)
  const list = useList(q, (cursor, signal) =>
    q === ''
      ? Promise.resolve({ items: [], next: null })
      : api.containers.list({ q, cursor, sort: '-updatedAt', limit: 50 }, signal),
  )
  return (
    <div class="stack">
      <h1 class="wrap-anywhere" tabIndex={-1} ref={heading}>
        {title}
      </h1>
      {q === '' ? (
        <p class="muted">{t('search.short')}</p>
      ) : (
        <>
          <Places q={q} />
          <div class="card">
            <ContainerTable
              list={list}
              empty={
                <Empty title={t('search.nothing', { q })}>
                  <p>{t('search.nothingText')}</p>
                </Empty>
              }
            />
          </div>
        </>
      )}
    </div>
  )
}
