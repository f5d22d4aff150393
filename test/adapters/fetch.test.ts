import { fetchHost, honoHost } from './hosts/fetch.js'
import { describeHost } from './suite.js'

for (const host of [honoHost, fetchHost]) describeHost(host)
