/** Sign in: with an access token, or by the one-time link that `serve` printed. */
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Link, useLocation } from 'wouter-preact'
import { ApiError, api } from '../api/client.js'
import { config } from '../config.js'
import { rich, t } from '../messages/messages.js'
import { CommandLine } from '../parts/copy.js'
import { usePage } from '../parts/page.js'
import { reasonText } from '../parts/states.js'
import { loadSession, session } from '../state/session.js'

/** Reads the code of a one-time link, and takes it out of the address at once. */
function takeCode(): string | undefined {
  const code = location.hash.slice(1)
  if (code === '' || code === 'main') return undefined
  history.replaceState(history.state, '', location.pathname + location.search)
  return code
}

export function SignIn(): JSX.Element {
  const heading = usePage(t('signIn.title'))
  const [, navigate] = useLocation()
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<string>()
  const input = useRef<HTMLInputElement>(null)

  const enter = async (given: { readonly token: string } | { readonly code: string }): Promise<void> => {
    setBusy(true)
    setError(undefined)
    try {
      await api.session.create(given)
      await loadSession()
      navigate('/', { replace: true })
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown
      const isBad = thrown.status === 401 || thrown.status === 400 || thrown.status === 404
      if (isBad) setError('code' in given ? t('signIn.badCode') : t('signIn.bad'))
      else setError(reasonText(thrown))
    } finally {
      setBusy(false)
    }
  }

  useEffect(() => {
    const code = takeCode()
    if (code !== undefined) void enter({ code })
    else input.current?.focus()
  }, [])

  const me = session.value?.principal
  if (me != null && !isBusy)
    return (
      <div class="narrow-page stack">
        <h1 tabIndex={-1} ref={heading}>
          {t('signIn.title')}
        </h1>
        <p>{rich('signIn.already', { name: <b>{me.name}</b> })}</p>
        <Link href="/" class="button primary">
          {t('signIn.continue')}
        </Link>
      </div>
    )
  if (config.signIn !== undefined)
    return (
      <div class="narrow-page stack">
        <h1 tabIndex={-1} ref={heading}>
          {t('signIn.title')}
        </h1>
        <a href={config.signIn.href} class="button primary">
          {t('signIn.host')}
        </a>
      </div>
    )
  return (
    <div class="narrow-page stack">
      <h1 tabIndex={-1} ref={heading}>
        {t('signIn.title')}
      </h1>
      <form
        class="card pad stack"
        onSubmit={(event) => {
          event.preventDefault()
          const token = input.current?.value.trim() ?? ''
          // it stays nowhere on the page
          if (input.current !== null) input.current.value = ''
          if (token !== '') void enter({ token })
        }}
      >
        {error !== undefined && (
          <p class="note bad" role="alert">
            {error}
          </p>
        )}
        <div class="field">
          <label for="token">{t('signIn.token')}</label>
          <input id="token" type="password" ref={input} autocomplete="off" spellcheck={false} required />
        </div>
        <button type="submit" class="primary" disabled={isBusy}>
          {isBusy ? t('signIn.working') : t('signIn.button')}
        </button>
        <p class="small muted">{t('signIn.kept')}</p>
      </form>
      <section class="stack">
        <h2>{t('signIn.how')}</h2>
        <p class="small muted">{t('signIn.howText')}</p>
        <CommandLine text="sif-library token create NAME" label={t('signIn.how')} copyLabel={t('action.copy')} />
      </section>
    </div>
  )
}
