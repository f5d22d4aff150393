/** Plain node:http. */
import { createServer } from 'node:http'
import { libraryListener } from '../../../src/adapters/node.js'
import { describeUnknown, ERROR_PAGE, type Host, listen, readAll } from '../host.js'

export const nodeHost: Host = {
  name: 'node:http',
  parses: [],
  start: async ({ library, prefix, company }) => {
    const log: string[] = []
    const ours = libraryListener(library, {
      prefix,
      fallback: async (req, res) => {
        const body = await readAll(req)
        if (req.url === '/portal/boom') res.writeHead(500).end(ERROR_PAGE)
        else if (req.url === '/portal/echo') res.end(JSON.stringify({ saw: JSON.parse(body.toString()) }))
        else res.writeHead(404).end(describeUnknown(req.method ?? '', req.url ?? '', body))
      },
    })
    const server = createServer((req, res) => {
      if (company) {
        const { url } = req
        res.setHeader('x-portal', 'yes')
        res.once('finish', () => log.push(`${req.method} ${url} ${res.statusCode}`))
      }
      ours(req, res)
    })
    return listen(server, log)
  },
}
