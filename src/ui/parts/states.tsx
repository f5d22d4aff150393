/** What a list or a view shows while it has nothing to show. */
import type { ComponentChildren, JSX } from 'preact'
import { Link } from 'wouter-preact'
import type { ApiError } from '../api/client.js'
import { t } from '../messages/messages.js'
import { session } from '../state/session.js'
import { Icon } from './icon.js'
import { usePage } from './page.js'

/** Words for a person: what the page knows better than the answer. */
export function reasonText(error: ApiError): string {
  if (error.reason === 'unreachable') return t('state.unreachable')
  if (error.reason === 'precondition-failed') return t('state.stale')
  return error.message
}

/** Why something failed, with what to tell an admin. */
export const Failure = ({ error, again }: { readonly error: ApiError; readonly again?: () => void }): JSX.Element => (
  <div class="note bad" role="alert">
    <Icon name="warning" />
    <div class="text">
      {reasonText(error)}
      {error.requestId !== undefined && error.status >= 500 && (
        <div class="small muted">{t('state.requestId', { id: error.requestId })}</div>
      )}
    </div>
    {again !== undefined && (
      <button type="button" class="compact-button" onClick={again}>
        {t('state.again')}
      </button>
    )}
  </div>
)

/** Lines where the rows will be. */
export const Skeleton = ({ rows = 6 }: { readonly rows?: number }): JSX.Element => (
  <div class="pad stack busy" aria-busy="true" role="status">
    <span class="hidden-text">{t('state.loading')}</span>
    {Array.from({ length: rows }, (_, index) => (
      <div key={index} class="skeleton" />
    ))}
  </div>
)

/** Nothing is there, and why. */
export const Empty = ({
  title,
  children,
}: {
  readonly title: string
  readonly children?: ComponentChildren
}): JSX.Element => (
  <div class="state">
    <b>{title}</b>
    {children}
  </div>
)

/** The same words for what is absent and what is hidden. */
export function NotFound(): JSX.Element {
  const heading = usePage(t('state.notFound'))
  return (
    <div class="state">
      <h1 tabIndex={-1} ref={heading}>
        {t('state.notFound')}
      </h1>
      <p>{t('state.notFoundText')}</p>
      {session.value?.principal === null && <p>{t('state.notFoundSignIn')}</p>}
      <Link href="/" class="button">
        {t('state.home')}
      </Link>
    </div>
  )
}

/** A view that this person may not see. */
export function MayNot({ title }: { readonly title: string }): JSX.Element {
  const heading = usePage(title)
  const isAnonymous = session.value?.principal === null
  return (
    <div class="state">
      <h1 tabIndex={-1} ref={heading}>
        {isAnonymous ? t('state.needsSignIn') : t('state.forbidden')}
      </h1>
      {isAnonymous ? <SignInLink /> : <p>{t('state.forbiddenText', { who: t('state.admins') })}</p>}
    </div>
  )
}

export const SignInLink = (): JSX.Element => (
  <Link href="/sign-in" class="button primary">
    {t('frame.signIn')}
  </Link>
)

/** A whole view that could not be loaded. */
export function ViewFailure({ error, again }: { readonly error: ApiError; readonly again: () => void }): JSX.Element {
  const heading = usePage(t('state.failed'))
  if (error.status === 404) return <NotFound />
  return (
    <>
      <h1 class="gap-below" tabIndex={-1} ref={heading}>
        {error.status === 403 || error.status === 401 ? t('state.forbidden') : t('state.failed')}
      </h1>
      <Failure error={error} again={again} />
    </>
  )
}
