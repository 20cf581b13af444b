// Triggers that a calendar alone decides: what they will do can be told before.
import type { Trigger } from '../../kinds/triggers.ts'
import type { OpenedTrigger } from '../scaler.ts'
import { cronTrigger } from './cron.ts'
import type { CronWindow } from './cron-windows.ts'
import { timeWindow } from './time-window.ts'

/** When it is active, and with how many replicas. */
interface CalendarWindow extends CronWindow {
  readonly tail: string
  readonly replicas: number
}

const kinds: Readonly<Record<string, (trigger: Pick<OpenedTrigger, 'given' | 'metricType'>) => CalendarWindow>> = {
  cron: cronTrigger,
  'time-window': timeWindow,
}

export function isOfCalendar(type: string): boolean {
  return Object.hasOwn(kinds, type)
}

/** Undefined: it is of no calendar. @throws TriggerProblem */
export function calendarWindow({
  type,
  metadata,
  metricType,
}: Pick<Trigger, 'type' | 'metadata' | 'metricType'>): CalendarWindow | undefined {
  return Object.hasOwn(kinds, type) ? kinds[type]?.({ given: { metadata, env: {}, auth: {} }, metricType }) : undefined
}
