/** Many clients in one process: all connect at once, pull, follow the redirect, count the bytes and drop them; answers with how it went. */
import { Agent, get } from 'node:http'

const { url, jobs, size, seconds } = JSON.parse(process.argv[2])
const deadline = Date.now() + seconds * 1000

function pull(from, agent) {
  return new Promise((resolve, reject) => {
    const request = get(from, { agent, timeout: seconds * 1000 }, (response) => {
      if (response.statusCode === 303) {
        response.resume()
        response.on('end', () => pull(response.headers.location, agent).then(resolve, reject))
        return
      }
      let bytes = 0
      response.on('data', (chunk) => {
        bytes += chunk.length
      })
      response.on('error', reject)
      response.on('end', () =>
        response.statusCode === 200 && bytes === size
          ? resolve()
          : reject(new Error(`${response.statusCode}, ${bytes}`)),
      )
    })
    request.on('timeout', () => request.destroy(new Error('timeout')))
    request.on('error', reject)
    setTimeout(() => request.destroy(new Error('too late')), Math.max(0, deadline - Date.now())).unref()
  })
}

const began = performance.now()
const results = await Promise.allSettled(
  Array.from({ length: jobs }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    try {
      await pull(url, agent)
    } finally {
      agent.destroy()
    }
  }),
)
const failures = results.filter(({ status }) => status === 'rejected').map(({ reason }) => String(reason.message))
for (const message of new Set(failures)) console.error(`puller: ${message}`)
process.send({ failed: failures.length, seconds: (performance.now() - began) / 1000 })
process.on('SIGTERM', () => process.exit(0))
