/** Express 4 and 5, and connect with the same middlewares. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import compression from 'compression'
import connect from 'connect'
import cookieParser from 'cookie-parser'
import cors from 'cors'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import session from 'express-session'
import express4 from 'express4'
import helmet from 'helmet'
import { libraryMiddleware } from '../../../src/adapters/express.js'
import {
  type Company,
  companyHeaders,
  describeUnknown,
  ERROR_PAGE,
  type Host,
  type HostOptions,
  listen,
  MANY_REQUESTS,
  readAll,
} from '../host.js'

type Next = (error?: unknown) => void
type Handler = (req: IncomingMessage & { body?: unknown }, res: ServerResponse, next: Next) => void

function logger(log: string[]): Handler {
  return (req, res, next) => {
    const url = req.url
    res.once('finish', () => log.push(`${req.method} ${url} ${res.statusCode}`))
    res.setHeader('x-portal', 'yes')
    next()
  }
}

type Session = { session?: { views?: number } }

const countViews: Handler = (req, _res, next) => {
  const { session } = req as typeof req & Session
  if (session !== undefined) session.views = (session.views ?? 0) + 1
  next()
}

/** The default one calls methods of Express, which connect lacks. */
const tooMany = (_req: IncomingMessage, res: ServerResponse): void => {
  res.statusCode = 429
  res.end('too many requests')
}

const seen: Company = { headers: companyHeaders, viewsOf: (native) => (native as Session).session?.views }

const company = (
  log: string[],
  {
    requestLimit = MANY_REQUESTS,
    json = express.json,
  }: { readonly requestLimit?: number; readonly json?: typeof express.json },
) => [
  logger(log),
  helmet(),
  cors(),
  compression(),
  cookieParser(),
  session({ secret: 'portal', resave: false, saveUninitialized: true }),
  countViews,
  rateLimit({ limit: requestLimit, validate: false, handler: tooMany }),
  json(),
  express.static('docs'),
]

const echo: Handler = (req, res, next) => {
  if (req.method !== 'POST') return next()
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify({ saw: req.body }))
}
const boom: Handler = () => {
  throw new Error('boom')
}
const unknown: Handler = (req, res, next) => {
  readAll(req).then((body) => {
    res.statusCode = 404
    res.end(describeUnknown(req.method ?? '', req.url ?? '', body))
  }, next)
}
const errorPage = (_error: unknown, _req: IncomingMessage, res: ServerResponse, _next: Next): void => {
  res.statusCode = 500
  res.end(ERROR_PAGE)
}

/** `byOption` mounts with the option `prefix`, as hosts do that leave the mount in the URL. */
function expressHost(name: string, make: typeof express, byOption = false): Host {
  return {
    name,
    parses: ['application/json'],
    company: seen,
    start: async (options: HostOptions) => {
      const app = make()
      const log: string[] = []
      if (options.company) for (const middleware of company(log, { ...options, json: make.json })) app.use(middleware)
      app.use('/portal/echo', make.json(), echo)
      app.use('/portal/boom', boom)
      if (byOption || options.prefix === '') app.use(libraryMiddleware(options.library, { prefix: options.prefix }))
      else app.use(options.prefix, libraryMiddleware(options.library))
      app.use(unknown)
      app.use(errorPage)
      return listen(createServer(app), log)
    },
  }
}

export const expressHosts: readonly Host[] = [
  expressHost('Express 5', express),
  expressHost('Express 4', express4),
  expressHost('Express 5 by its option', express, true),
]

export const connectHost: Host = {
  name: 'connect 3',
  parses: ['application/json'],
  company: seen,
  start: async (options) => {
    const app = connect()
    const log: string[] = []
    const use = (path: string, handler: unknown): unknown => app.use(path, handler as connect.NextHandleFunction)
    // these two call Express's own response methods
    if (options.company) for (const middleware of company(log, options)) use('/', middleware)
    use('/portal/echo', express.json())
    use('/portal/echo', echo)
    use('/portal/boom', boom)
    use(options.prefix === '' ? '/' : options.prefix, libraryMiddleware(options.library))
    use('/', unknown)
    app.use(errorPage as connect.ErrorHandleFunction)
    return listen(createServer(app), log)
  },
}
