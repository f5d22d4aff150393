// biome-ignore-all lint/style/noDefaultExport: that is how these packages export
// Older versions under an alias, and packages without types: the tests use them as the newer or neighbouring ones are typed.
declare module 'express4' {
  import express from 'express'
  export default express
}
declare module 'koa2' {
  import Koa from 'koa'
  export default Koa
}
declare module 'koa-bodyparser' {
  import type { Middleware } from 'koa'
  export default function bodyParser(): Middleware
}
declare module 'compression' {
  import type { RequestHandler } from 'express'
  export default function compression(): RequestHandler
}
declare module 'cors' {
  import type { RequestHandler } from 'express'
  export default function cors(): RequestHandler
}
declare module 'cookie-parser' {
  import type { RequestHandler } from 'express'
  export default function cookieParser(): RequestHandler
}
declare module 'express-session' {
  import type { RequestHandler } from 'express'
  export default function session(options: {
    secret: string
    resave: boolean
    saveUninitialized: boolean
  }): RequestHandler
}
declare module 'koa-ratelimit' {
  import type { Middleware } from 'koa'
  export default function rateLimit(options: { driver: 'memory'; db: Map<unknown, unknown>; max: number }): Middleware
}
