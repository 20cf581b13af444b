// The face of the drop-in's process.
export { type Coordination, descheduleConfiguration } from './coordination-settings.ts'
export { DeschedulerFailed, type DeschedulerOptions, runDescheduler } from './descheduler.ts'
export type { DeschedulerLog, LogFields } from './descheduler-log.ts'
