/** The views by path. Those that are large, or that few people open, come when they are asked for. */
import type { ComponentType, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Redirect, Route, Router, Switch, useLocation } from 'wouter-preact'
import { base, config } from './config.js'
import { type MessageKey, t } from './messages/messages.js'
import { Frame } from './parts/frame.js'
import { markNavigation } from './parts/page.js'
import { MayNot, NotFound, Skeleton, ViewFailure } from './parts/states.js'
import { isAdmin, loadSession, session, sessionError } from './state/session.js'
import { Browse } from './views/browse.js'
import { Place } from './views/place.js'

type View = ComponentType<{ readonly params: Readonly<Record<string, string | undefined>> }>

/** A view of its own file, loaded on first use. */
function later(load: () => Promise<View>): View {
  let loaded: View | undefined
  return (props) => {
    const [view, setView] = useState<{ readonly View: View } | undefined>(loaded && { View: loaded })
    useEffect(() => {
      if (loaded !== undefined) return
      void load().then((found) => {
        loaded = found
        setView({ View: found })
      })
    }, [])
    return view === undefined ? <Skeleton /> : <view.View {...props} />
  }
}

const Container = later(async () => (await import('./views/container.js')).ContainerView)
const Search = later(async () => (await import('./views/search.js')).Search)
const SignIn = later(async () => (await import('./views/sign-in.js')).SignIn)

const Upload = later(async () => (await import('./views/upload.js')).Upload)
const Tokens = later(async () => (await import('./views/tokens.js')).Tokens)
const Usage = later(async () => (await import('./views/usage.js')).Usage)
const Activity = later(async () => (await import('./views/activity.js')).Activity)
const Admin = later(async () => (await import('./views/admin.js')).Admin)

/** Shown to who is signed in; `admin`: to admins. */
function guarded(Inner: View, title: MessageKey, admin = false): View {
  return (props) => {
    const known = session.value
    if (known?.principal == null || (admin && !isAdmin())) return <MayNot title={t(title)} />
    return <Inner {...props} />
  }
}

const GuardedUpload = guarded(Upload, 'nav.upload')
const GuardedTokens = guarded(Tokens, 'nav.tokens')
const GuardedUsage = guarded(Usage, 'nav.usage')
const GuardedActivity = guarded(Activity, 'nav.activity')
const GuardedAdmin = guarded(Admin, 'nav.admin', true)

function Views(): JSX.Element {
  const [path] = useLocation()
  const first = useRef(path)
  if (first.current !== path) {
    first.current = path
    markNavigation()
  }
  if (session.value === undefined) {
    if (sessionError.value === undefined) return <Skeleton />
    return <ViewFailure error={sessionError.value} again={() => void loadSession()} />
  }
  if (config.anonymous === 'none' && session.value.principal === null && path !== '/sign-in')
    return <Redirect to="/sign-in" replace />
  return (
    <Switch>
      <Route path="/" component={Browse} />
      <Route path="/search" component={Search} />
      <Route path="/images/:entity" component={Place} />
      <Route path="/images/:entity/:collection" component={Place} />
      <Route path="/images/:entity/:collection/:container" component={Container} />
      <Route path="/images/:entity/:collection/:container/:digest" component={Container} />

      <Route path="/upload" component={GuardedUpload} />
      <Route path="/tokens" component={GuardedTokens} />
      <Route path="/usage" component={GuardedUsage} />
      <Route path="/activity" component={GuardedActivity} />
      <Route path="/admin/:section?" component={GuardedAdmin} />
      <Route path="/sign-in" component={SignIn} />
      <Route component={NotFound} />
    </Switch>
  )
}

export const App = (): JSX.Element => (
  <Router base={base}>
    <Frame>
      <Views />
    </Frame>
  </Router>
)
