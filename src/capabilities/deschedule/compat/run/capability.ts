// The face of the drop-in's process.
export { type Coordination, descheduleConfiguration } from './coordination-settings.ts'
export { type DeschedulerOptions, runDescheduler } from './descheduler.ts'
export { DeschedulerFailed } from './descheduler-failed.ts'
export type { DeschedulerLog, LogFields } from './descheduler-log.ts'
