// Active between two times of a calendar: a number of replicas from `start` to `end`.
import { timeZone } from '#kube/time/time-zone.ts'
import { boolean, defaulted, here, integer, readParameters, required, TriggerProblem, text } from '../../triggers/parameters.ts'
import { type OpenedTrigger, oneMetric, type ScalerKind } from '../scaler.ts'
import { activityOf, type CronWindow, fiveFields } from './cron-windows.ts'

const parameters = {
  timezone: required(text, here('IANA name of the time zone, such as Europe/Rome')),
  start: required(text, here('five fields of cron: when it becomes active')),
  end: required(text, here('five fields of cron: when it ends')),
  desiredReplicas: required(integer, here('replicas while it is active')),
  dstSafe: defaulted(boolean, 'false', {
    ...here('ours: what came last decides, so that a skipped start or an impossible date switches nothing on'),
    isOurs: true,
  }),
}

/** What a cron trigger says. @throws TriggerProblem */
export function cronTrigger(
  trigger: Pick<OpenedTrigger, 'given'>,
): CronWindow & { readonly tail: string; readonly replicas: number } {
  const given = readParameters(parameters, trigger.given, 'cron')
  // Upstream would find out only when it is asked the first time.
  if (timeZone(given.timezone) === undefined)
    throw new TriggerProblem(`unable to load timezone: unknown time zone ${given.timezone}`)
  const [start, end] = [fiveFields(given.start, given.timezone), fiveFields(given.end, given.timezone)]
  if (typeof start === 'string') throw new TriggerProblem(`error parsing start schedule: ${start}`)
  if (typeof end === 'string') throw new TriggerProblem(`error parsing end schedule: ${end}`)
  if (given.start === given.end) throw new TriggerProblem('start and end can not have exactly same time input')
  if (given.desiredReplicas === 0) throw new TriggerProblem('no desiredReplicas specified')
  const tail = `cron-${given.timezone}-${inName(given.start)}-${inName(given.end)}`
  return { start, end, rule: given.dstSafe ? 'latest' : 'ahead', tail, replicas: given.desiredReplicas }
}

function inName(schedule: string): string {
  return schedule.replaceAll(' ', '').replaceAll('*', 'x').replaceAll('/', 'Sl').replaceAll('?', 'Qm').replaceAll(',', 'Cm')
}

export const cron: ScalerKind = {
  types: ['cron'],
  about: 'a number of replicas between two times of a calendar',
  parameters,
  async open(trigger, { clock }) {
    const window = cronTrigger(trigger)
    const isActive = activityOf(window)
    const read = async () => (isActive(clock.now()) ? window.replicas : 0)
    return oneMetric(trigger, { tail: window.tail, target: 1, activation: 0, read })
  },
}
