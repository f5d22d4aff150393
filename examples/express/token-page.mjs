// The page on which a signed-in user makes, sees and revokes tokens for the command line, and sees their containers.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { Router, urlencoded } from 'express'
import { registryPage } from './pages.mjs'
import { groupsOf } from './people.mjs'

const days90 = 90 * 86_400_000

function csrfOf(session) {
  session.csrf ??= randomBytes(24).toString('base64url')
  return session.csrf
}

function checkCsrf(req, res, next) {
  const given = Buffer.from(String(req.body?.csrf ?? ''))
  const due = Buffer.from(csrfOf(req.session))
  if (given.length === due.length && timingSafeEqual(given, due)) return next()
  res.status(403).send('the form is too old: go back and load it again')
}

export function tokenPage({ library, listContainers, url }) {
  const { accounts } = library
  const router = Router()

  router.use((req, res, next) => (req.session.name === undefined ? res.redirect('/login') : next()))

  const show = async (req, res, created) => {
    const { name } = req.session
    const tokens = (await accounts.findUser(name)) === undefined ? [] : await accounts.listTokens(name)
    const containers = await listContainers([name, ...groupsOf(name)])
    // the page may hold a token: no cache, not even the browser's
    res
      .set('cache-control', 'no-store')
      .send(registryPage({ name, csrf: csrfOf(req.session), tokens, containers, created, url }))
  }

  router.get('/', (req, res) => show(req, res))

  router.post('/tokens', urlencoded(), checkCsrf, async (req, res) => {
    const { name } = req.session
    // the account holds only the tokens: who somebody is, what they may do, and whose name it was, the portal says
    if ((await accounts.findUser(name)) === undefined) await accounts.addUser({ name, takeOver: true })
    const { token } = await accounts.createToken({
      user: name,
      label: String(req.body.label ?? '').slice(0, 60),
      scopes: req.body.readonly === undefined ? [] : ['pull'],
      expiresAt: new Date(Date.now() + days90),
    })
    await show(req, res, token)
  })

  router.post('/tokens/:id/revoke', urlencoded(), checkCsrf, async (req, res) => {
    const own =
      (await accounts.findUser(req.session.name)) === undefined ? [] : await accounts.listTokens(req.session.name)
    // only one's own: an id in a URL is no permission
    if (own.some((token) => token.id === req.params.id)) await accounts.revokeToken(req.params.id)
    res.redirect('/registry')
  })

  return router
}
