import { expressHosts } from './hosts/express.js'
import { describeHost } from './suite.js'

for (const host of expressHosts) describeHost(host)
