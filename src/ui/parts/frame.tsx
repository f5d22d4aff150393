/** What is on every page: banner, navigation, search, account, and the live region. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Link, useLocation, useSearch } from 'wouter-preact'
import { api } from '../api/client.js'
import { base, config, title } from '../config.js'
import { t } from '../messages/messages.js'
import { said } from '../state/announce.js'
import { isAdmin, loadSession, session } from '../state/session.js'
import { chooseTheme, isFixed, theme } from '../state/theme.js'
import { Dialog } from './dialog.js'
import { Icon, Mark } from './icon.js'
import { useKey } from './keys.js'
import { Menu } from './menu.js'

interface Place {
  readonly href: string
  readonly label: string
  /** Which paths belong to it. */
  readonly has: (path: string) => boolean
}

function places(): readonly Place[] {
  const here = (href: string, label: string): Place => ({ href, label, has: (path) => path.startsWith(href) })
  const browse: Place = {
    href: '/',
    label: t('nav.browse'),
    has: (path) => path === '/' || path.startsWith('/images') || path.startsWith('/search'),
  }
  if (session.value?.principal == null) return [browse]
  return [
    browse,
    here('/upload', t('nav.upload')),
    here('/usage', t('nav.usage')),
    here('/tokens', t('nav.tokens')),
    here('/activity', t('nav.activity')),
    ...(isAdmin() ? [here('/admin', t('nav.admin'))] : []),
  ]
}

function Navigation(): JSX.Element {
  const [path] = useLocation()
  return (
    <nav aria-label={t('frame.registry')}>
      {places().map(({ href, label, has }) => (
        <Link key={href} href={href} aria-current={has(path) ? 'page' : undefined}>
          {label}
        </Link>
      ))}
      {config.links?.map(({ href, label }) => (
        <a key={href} href={href}>
          {label}
        </a>
      ))}
    </nav>
  )
}

function Search(): JSX.Element {
  const [path, navigate] = useLocation()
  const search = useSearch()
  const given = path.startsWith('/search') ? (new URLSearchParams(search).get('q') ?? '') : ''
  const [text, setText] = useState(given)
  const input = useRef<HTMLInputElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>()
  useEffect(() => setText(given), [given])
  useKey('/', () => {
    input.current?.focus()
    input.current?.select()
  })
  const go = (q: string): void => {
    clearTimeout(timer.current)
    const words = q.trim()
    if (words === '' && !path.startsWith('/search')) return
    navigate(words === '' ? '/' : `/search?q=${encodeURIComponent(words)}`, { replace: path.startsWith('/search') })
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: older browsers know no <search>
    <form
      class="find"
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        go(text)
      }}
    >
      <Icon name="search" />
      <input
        type="search"
        ref={input}
        aria-label={t('frame.search')}
        placeholder={t('frame.searchHint')}
        value={text}
        autocomplete="off"
        spellcheck={false}
        onInput={({ currentTarget: { value } }) => {
          setText(value)
          clearTimeout(timer.current)
          // results follow the typing once it pauses
          timer.current = setTimeout(() => go(value), 350)
        }}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown') return
          const first = document.querySelector<HTMLElement>('main tbody a')
          if (first === null) return
          event.preventDefault()
          first.focus()
        }}
      />
      <span class="key" aria-hidden="true">
        <kbd>/</kbd>
      </span>
    </form>
  )
}

const themeItems = () =>
  (['system', 'light', 'dark'] as const).map((choice) => ({
    label: t(`frame.${choice}`),
    checked: theme.value === choice,
    icon: <Icon name="check" />,
    onSelect: () => chooseTheme(choice),
  }))

function Account(): JSX.Element | null {
  const [, navigate] = useLocation()
  const known = session.value
  if (known === undefined) return null
  if (known.principal === null) {
    if (config.signIn !== undefined)
      return (
        <a class="button" href={config.signIn.href}>
          {t('frame.signIn')}
        </a>
      )
    return (
      <Link class="button" href="/sign-in">
        {t('frame.signIn')}
      </Link>
    )
  }
  const { name } = known.principal
  const signOut = async (): Promise<void> => {
    await api.session.end()
    await loadSession()
    navigate('/')
  }
  return (
    <Menu
      buttonClass="ghost account"
      items={[
        config.signOut === undefined
          ? { label: t('frame.signOut'), onSelect: () => void signOut() }
          : { label: t('frame.signOut'), href: config.signOut.href },
      ]}
    >
      <span class="avatar" aria-hidden="true">
        {(name[0] ?? '?').toUpperCase()}
      </span>
      <span>{name}</span>
    </Menu>
  )
}

function Keys({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const keys: readonly (readonly [string, string])[] = [
    ['/', t('keys.search')],
    ['↓ ↑', t('keys.rows')],
    ['Enter', t('keys.open')],
    ['?', t('keys.help')],
    ['Esc', t('keys.close')],
  ]
  return (
    <Dialog title={t('keys.title')} onClose={onClose}>
      <dl class="facts">
        {keys.map(([key, what]) => (
          <>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </>
        ))}
      </dl>
      <div class="actions">
        <button type="button" onClick={onClose}>
          {t('action.close')}
        </button>
      </div>
    </Dialog>
  )
}

function useOnline(): boolean {
  const [isOnline, setOnline] = useState(navigator.onLine)
  useEffect(() => {
    const follow = (): void => setOnline(navigator.onLine)
    window.addEventListener('online', follow)
    window.addEventListener('offline', follow)
    return () => {
      window.removeEventListener('online', follow)
      window.removeEventListener('offline', follow)
    }
  }, [])
  return isOnline
}

export function Frame({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const [showsKeys, setShowsKeys] = useState(false)
  const isOnline = useOnline()
  useKey('?', () => setShowsKeys(true))
  return (
    <>
      <a
        class="skip button"
        href={`${base}${location.pathname.slice(base.length)}#main`}
        onClick={(event) => {
          event.preventDefault()
          document.getElementById('main')?.focus()
        }}
      >
        {t('frame.skip')}
      </a>
      <header class="banner">
        <Link href="/" class="brand">
          {config.logo === undefined ? <Mark /> : <img src={config.logo} alt="" />}
          {title}
        </Link>
        <Navigation />
        <Search />
        <div class="tools">
          {!isFixed && (
            <Menu label={t('frame.appearance')} buttonClass="ghost" items={themeItems()}>
              <Icon name={theme.value === 'light' ? 'sun' : 'moon'} />
            </Menu>
          )}
          <Account />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {!isOnline && (
          <div class="note warn" role="status">
            <Icon name="warning" />
            <div class="text">{t('frame.offline')}</div>
          </div>
        )}
        {children}
      </main>
      <div class="hidden-text" role="status" aria-live="polite">
        {said.value}
      </div>
      {showsKeys && <Keys onClose={() => setShowsKeys(false)} />}
    </>
  )
}
