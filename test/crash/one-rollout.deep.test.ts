import { describeKills } from '../crash-harness.ts'
import { oneRollout } from '../one-rollout.ts'

describeKills(oneRollout, ['before'])
