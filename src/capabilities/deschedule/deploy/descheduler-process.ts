// The descheduler as what this capability installs: a process of its own.
import type { InstalledProcess } from '#deployment/capability-processes.ts'
import { deschedulerObjects } from './descheduler-objects.ts'
import { deschedulerProblems } from './descheduler-problems.ts'
import { deschedulerSchema } from './descheduler-values.ts'

export const deschedulerProcess: InstalledProcess = {
  name: 'descheduler',
  values: deschedulerSchema,
  problems: deschedulerProblems,
  objects: deschedulerObjects,
}
