// An institutional portal: people sign in with a session; the registry lives under /library.
import { randomBytes } from 'node:crypto'
import express from 'express'
import session from 'express-session'
import { libraryMiddleware } from 'sif-library/express'
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
  app.post('/login', express.urlencoded(), (req, res) => {
    const person = checkPassword(String(req.body?.name), String(req.body?.password))
    if (person === undefined) return res.status(401).send(loginPage('Name and password do not fit.'))
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
  return { app, library }
}
