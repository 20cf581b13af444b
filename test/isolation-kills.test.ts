// A small isolation, each stage once, with its controller killed after each write; by webhook in the deep tests, the homelab's in test/crash.
import { describeKills } from './crash-harness.ts'
import { smallIsolation } from './isolation-scenarios.ts'

describeKills(smallIsolation, ['after'])
