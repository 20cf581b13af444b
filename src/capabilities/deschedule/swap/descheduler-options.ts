// What becomes of each flag of upstream's descheduler: where it has a value of ours of its own, that; else it is passed on as it is.
import { parseDuration } from '#kube/time/duration.ts'
import type { Step } from '#upstreams/values-row.ts'
import { parseDeschedulerFlags } from '../flags/descheduler-flags.ts'

export const descheduler = (key: string) => `descheduler.${key}`

/** To a key below `descheduler`. */
export const carried = (key: string, value: unknown, why?: string): readonly Step[] => [
  { kind: 'carried', to: descheduler(key), value, ...(why === undefined ? {} : { why }) },
]

/** A duration as the values have it; a step that says what is wrong where it is none. */
export function durationSteps(key: string, value: unknown): readonly Step[] {
  const text = String(value)
  if (!parseDuration(text).ok || !/^[0-9.]+[a-zµ]/.test(text))
    return [{ kind: 'lost', why: `found ${JSON.stringify(value)}, expected a duration such as 5m` }]
  return carried(key, text)
}

const durations: Readonly<Record<string, string>> = {
  'leader-elect-lease-duration': 'leaderElection.leaseDuration',
  'leader-elect-renew-deadline': 'leaderElection.renewDeadline',
  'leader-elect-retry-period': 'leaderElection.retryPeriod',
}
const names: Readonly<Record<string, string>> = {
  'leader-elect-resource-name': 'leaderElection.resourceName',
  'leader-elect-resource-namespace': 'leaderElection.resourceNamespace',
}
const switches: Readonly<Record<string, string>> = { 'dry-run': 'dryRun', 'leader-elect': 'leaderElection.enabled' }

const ownKey = (of: Readonly<Record<string, string>>, name: string) => (Object.hasOwn(of, name) ? of[name] : undefined)

/** `--name=value`; without a value `--name`. */
export function optionSteps(name: string, value: unknown): readonly Step[] {
  const isBare = value === null || value === undefined
  const flag = isBare ? `--${name}` : `--${name}=${String(value)}`
  if (name === 'policy-config-file')
    return [{ kind: 'dropped', why: 'ours mounts its policy, descheduler.policy, at a place of its own' }]
  const standard = ['--policy-config-file=/policy.yaml', '--descheduling-interval=5m']
  const read = parseDeschedulerFlags([...standard, flag])
  // What goes together is judged of all of them, later.
  const wrong = read.ok ? undefined : read.problems.find(({ found, where }) => found === String(value) || where === 'descheduler')
  if (wrong !== undefined) return [{ kind: 'lost', why: wrong.message ?? `found ${wrong.found}, expected ${wrong.expected}` }]
  const duration = ownKey(durations, name)
  if (duration !== undefined) return durationSteps(duration, value)
  const named = ownKey(names, name)
  if (named !== undefined) return carried(named, String(value))
  const switched = ownKey(switches, name)
  if (switched !== undefined) return carried(switched, isBare || ['1', 't', 'true'].includes(String(value).toLowerCase()))
  if (name === 'v') return carried('verbosity', Number(value))
  if (name === 'leader-elect-resource-lock') return [{ kind: 'dropped', why: 'it is a Lease always' }]
  if (name === 'secure-port' && Number(value) === 10_258) return [{ kind: 'dropped', why: 'it is the port of ours, too' }]
  if (name === 'secure-port' && Number(value) !== 0)
    return [{ kind: 'lost', why: 'ours serves on 10258, the port of its Service and its probe' }]
  return [{ kind: 'carried', to: descheduler('extraArgs'), value: flag, isItem: true }]
}
