/** The floor: node:http that answers fixed bytes to GET, and writes what is PUT to a file without hashing. */
import { createReadStream, createWriteStream } from 'node:fs'
import { createServer } from 'node:http'
import { pipeline } from 'node:stream/promises'

const { body = '', file } = JSON.parse(process.argv[2] ?? '{}')
const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
const server = createServer(async (req, res) => {
  if (req.method === 'PUT') {
    await pipeline(req, createWriteStream(file))
    res.end()
  } else if (req.url === '/file') {
    // a client that leaves is no fault
    await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), res).catch(() => {})
  } else {
    res.writeHead(200, headers)
    res.end(body)
  }
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
process.on('SIGTERM', () => process.exit(0))
