// Small isolations, each stage once, with their controller killed after each write. The homelab's is in test/crash.
import { describeKills } from './crash-harness.ts'
import { smallIsolation, smallIsolationByWebhook } from './isolation-scenarios.ts'

describeKills(smallIsolation, ['after'])
describeKills(smallIsolationByWebhook, ['after'])
