// An institutional portal: people sign in with a session; the registry lives under /library.
import { randomBytes } from 'node:crypto'
import express from 'express'
import session from 'express-session'
import { libraryMiddleware } from 'sif-library/express'
import { limitAttempts } from './attempts.mjs'
import { html, loginPage, page } from './pages.mjs'
import { checkPassword } from './people.mjs'
import { createRegistry } from './registry.mjs'
import { tokenPage } from './token-page.mjs'

/** `origin` is where people reach the portal, such as `https://portal.example`; `directory` is where images and records go. */
export function buildApp({ origin, directory, secret = randomBytes(32).toString('hex') }) {
  const app = express()
  app.use(express.json())
  app.use(
    session({
      secret,
      resave: false,
      saveUninitialized: false,
      cookie: { sameSite: 'lax', httpOnly: true, secure: origin.startsWith('https:') },
    }),
  )

  // what the portal had before
  app.get('/', (req, res) => {
    const { name } = req.session
    if (name === undefined) return res.redirect('/login')
    res.send(page('Portal', html`<p>Good day, ${name}. <a href="/registry">Container images</a></p>`))
  })
  app.get('/login', (_req, res) => res.send(loginPage()))
  const attempts = limitAttempts()
  app.post('/login', express.urlencoded(), async (req, res) => {
    const { name, password } = req.body ?? {}
    if (typeof name !== 'string' || typeof password !== 'string' || name.length > 100 || password.length > 1000)
      return res.status(401).send(loginPage('Name and password do not fit.'))
    const seconds = attempts.wait(name, req.ip)
    if (seconds > 0)
      return res.status(429).set('retry-after', String(seconds)).send(loginPage('Too many tries: wait some minutes.'))
    attempts.failed(name, req.ip)
    const person = await checkPassword(name, password)
    if (person === undefined) return res.status(401).send(loginPage('Name and password do not fit.'))
    attempts.succeeded(name, req.ip)
    // a new session id: one that was known before the login is worth nothing
    req.session.regenerate(() => {
      req.session.name = person.name
      res.redirect('/')
    })
  })
  app.post('/api/echo', (req, res) => res.json(req.body))

  // what is new
  const url = `${origin}/library`
  const { library, listContainers } = createRegistry({ publicUrl: url, directory, tokenPage: `${origin}/registry` })
  app.use('/library', libraryMiddleware(library))
  app.use('/registry', tokenPage({ library, listContainers, url }))

  app.use((_req, res) => res.status(404).send(page('Not here', html`<p><a href="/">Portal</a></p>`)))
  // without it Express shows the stack to everybody, unless NODE_ENV is production
  app.use((error, _req, res, next) => {
    const status = error.status >= 400 && error.status < 500 ? error.status : 500
    if (status === 500) console.error(error)
    if (res.headersSent) return next(error)
    res.status(status).send(page('That did not work', html`<p><a href="/">Portal</a></p>`))
  })
  return { app, library }
}
