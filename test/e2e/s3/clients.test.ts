/** Every generation of the real client over real S3 servers: the same matrix as on a filesystem, and no image byte passes through the registry. */
import { afterAll } from 'vitest'
import {
  type CephCluster,
  type RunningS3Server,
  startCeph,
  startMinio,
  startS3Proxy,
  startSwift,
  startVersitygw,
} from '../../../scripts/s3-servers.mjs'
import { describeWhen } from '../harness/availability.js'
import { GENERATIONS, generationsOf } from '../harness/client.js'
import { describeClientMatrix, type MatrixHost } from '../harness/client-matrix.js'
import { goMissing } from '../harness/go.js'
import { startExpressOn, startServeOn } from '../harness/s3-registry.js'
import { makeUploadKey, type UploadKey } from './ceph-upload-key.js'
import { startOrSkip } from './servers.js'

const [minio, versitygw, s3proxy, ceph, swift] = await Promise.all([
  startOrSkip('MinIO', startMinio),
  startOrSkip('versitygw', startVersitygw),
  startOrSkip('s3proxy', startS3Proxy),
  startOrSkip('Ceph', startCeph),
  startOrSkip('Swift', startSwift),
])
afterAll(() => Promise.all([minio, versitygw, s3proxy, ceph, swift].map((server) => server?.stop())))

const oldAndNew = generationsOf('scs-0.5.5', 'scs-1.4.16')

/** `transfer: 'proxy'`: for clients that cannot reach the store. */
const proxied = (server: RunningS3Server): MatrixHost => ({
  name: 'serve --transfer proxy',
  start: () => startServeOn(server, { args: ['--transfer', 'proxy'] }),
})

const serve = (
  server: RunningS3Server,
  does: { readonly bindsPayload: boolean; readonly takesUploads?: boolean },
): MatrixHost => ({
  name: 'sif-library serve',
  start: () => startServeOn(server),
  store: { origin: server.endpoint, ...does },
})

/** On a host name of its own, as it is where the registry and the store are two machines, and with a key for uploads. */
const serveElsewhere = (server: CephCluster): MatrixHost => {
  const publicEndpoint = `http://localhost:${server.port}`
  let key: Promise<UploadKey> | undefined
  return {
    name: 'sif-library serve, the store on another host name, a key for uploads',
    start: async () => {
      key ??= makeUploadKey(server, '*')
      return startServeOn(server, { publicEndpoint, env: (await key).env })
    },
    store: { origin: publicEndpoint, bindsPayload: true },
  }
}

const express = (server: RunningS3Server): MatrixHost => ({
  name: 'Express',
  // the old clients drop the path of the base URL (protocol 3.1)
  start: ({ prefix }) => startExpressOn(server, { prefix: prefix ? '/library' : '' }),
  store: { origin: server.endpoint, bindsPayload: true },
})

const matrices = [
  {
    name: 'MinIO',
    server: minio,
    hosts: (server: RunningS3Server) => [serve(server, { bindsPayload: true })],
    generations: GENERATIONS,
  },
  {
    // every generation meets Express in test/e2e/clients.test.ts
    name: 'MinIO, below Express',
    server: minio,
    hosts: (server: RunningS3Server) => [express(server)],
    generations: oldAndNew,
  },
  {
    name: 'MinIO, proxied',
    server: minio,
    hosts: (server: RunningS3Server) => [proxied(server)],
    generations: oldAndNew,
  },
  {
    name: 'versitygw',
    server: versitygw,
    hosts: (server: RunningS3Server) => [serve(server, { bindsPayload: false })],
    // one of each way to upload
    generations: generationsOf('scs-0.2.2', 'scs-0.5.5', 'scs-1.2.0', 'container-1.4.12'),
  },
  {
    name: 's3proxy',
    server: s3proxy,
    hosts: (server: RunningS3Server) => [serve(server, { bindsPayload: true, takesUploads: false })],
    generations: oldAndNew,
  },
  {
    name: 'Ceph',
    server: ceph,
    hosts: (server: RunningS3Server) => [serveElsewhere(server as CephCluster)],
    generations: GENERATIONS,
  },
  {
    // Ceph refuses a token beside a signed URL, and old clients bring theirs to the same host name
    name: 'Ceph, on the host name of the registry',
    server: ceph,
    hosts: (server: RunningS3Server) => [serve(server, { bindsPayload: true, takesUploads: false })],
    generations: generationsOf('scs-0.2.2', 'scs-0.5.5', 'scs-1.0.2', 'scs-1.2.0', 'scs-1.3.3'),
  },
  {
    name: 'Swift',
    server: swift,
    hosts: (server: RunningS3Server) => [serve(server, { bindsPayload: false })],
    generations: GENERATIONS,
  },
]

for (const { name, server, hosts, generations } of matrices) {
  const missing = goMissing() ?? (server === undefined ? 'the store is not on this machine' : undefined)
  describeWhen(missing, `real clients on ${name}`)(`real clients on ${name}`, () => {
    if (server !== undefined) describeClientMatrix(hosts(server), { generations })
  })
}
