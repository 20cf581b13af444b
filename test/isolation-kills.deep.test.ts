// A small isolation whose tolerations come by webhook, with its controller killed after each write.
import { describeKills } from './crash-harness.ts'
import { smallIsolationByWebhook } from './isolation-scenarios.ts'

describeKills(smallIsolationByWebhook, ['after'])
