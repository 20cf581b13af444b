// The descheduler as what this capability installs: a process of its own.
import type { CapabilityObjects } from '#deployment/capability-objects.ts'
import { deschedulerObjects } from './descheduler-objects.ts'
import { deschedulerProblems } from './descheduler-problems.ts'
import { deschedulerSchema } from './descheduler-values.ts'

export const deschedulerProcess: CapabilityObjects = {
  block: { name: 'descheduler', values: deschedulerSchema },
  problems: deschedulerProblems,
  isSwitched: true,
  objects: deschedulerObjects,
}
