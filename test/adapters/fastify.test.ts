import { fastifyHosts } from './hosts/fastify.js'
import { describeHost } from './suite.js'

for (const host of fastifyHosts) describeHost(host)
