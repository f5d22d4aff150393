import { koaHosts } from './hosts/koa.js'
import { describeHost } from './suite.js'

for (const host of koaHosts) describeHost(host)
