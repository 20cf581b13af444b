// What a kubelet does at a container: probes and hooks; in upstream's order and words.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { type Draft, fieldsAt, integerAt, itemsAt, listAt, numberAt, textAt, valueAt } from '../../../json-value.ts'
import { targetProblems } from './port-validation.ts'

/** The part of the pod that handlers depend on. */
export interface HandlerSurroundings {
  /** Undefined where the pod says none. */
  readonly gracePeriod: number | undefined
}

const ofProbes = ['exec', 'httpGet', 'tcpSocket', 'grpc'] as const
const ofHooks = ['exec', 'httpGet', 'tcpSocket', 'sleep'] as const
const probes = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const
const schemes = ['HTTP', 'HTTPS']
const headerRule =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"

/** What is wrong with the hooks and probes of the container at `at`. */
export function handlingProblems(container: Draft, at: string, around: HandlerSurroundings): readonly FieldError[] {
  const hooks = ['postStart', 'preStop'].flatMap(name => {
    const hook = fieldsAt(container, 'lifecycle', name)
    return hook === undefined ? [] : handlerProblems(hook, `${at}.lifecycle.${name}`, ofHooks, around)
  })
  return [...hooks, ...probes.flatMap(name => probeProblems(container, name, at, around))]
}

/** What a container that only prepares a pod may not have. */
export function unhandledProblems(container: Draft, at: string): readonly FieldError[] {
  return ['lifecycle', ...probes]
    .filter(field => container[field] !== undefined)
    .map(field => forbidden(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always'))
}

function probeProblems(
  container: Draft,
  name: (typeof probes)[number],
  at: string,
  around: HandlerSurroundings,
): readonly FieldError[] {
  const probe = fieldsAt(container, name)
  if (probe === undefined) return []
  const place = `${at}.${name}`
  const counts = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold']
  const [period, successes] = [integerAt(probe, 'terminationGracePeriodSeconds'), numberAt(probe, 'successThreshold') ?? 0]
  const problems: FieldError[] = [
    ...handlerProblems(probe, place, ofProbes, around),
    ...counts.flatMap(field => {
      const count = numberAt(probe, field) ?? 0
      return count < 0 ? [invalid(`${place}.${field}`, count, 'must be greater than or equal to 0')] : []
    }),
  ]
  if (period !== undefined && period <= 0)
    problems.push(invalid(`${place}.terminationGracePeriodSeconds`, period, 'must be greater than 0'))
  if (name !== 'readinessProbe' && successes !== 1) problems.push(invalid(`${place}.successThreshold`, successes, 'must be 1'))
  if (name === 'readinessProbe' && period !== undefined)
    problems.push(invalid(`${place}.terminationGracePeriodSeconds`, period, 'must not be set for readinessProbes'))
  return problems
}

/** One of `kinds`, and only one. */
function handlerProblems(
  handler: Draft,
  place: string,
  kinds: readonly string[],
  { gracePeriod }: HandlerSurroundings,
): readonly FieldError[] {
  const given = kinds.filter(kind => fieldsAt(handler, kind) !== undefined)
  if (given.length === 0) return [required(place, 'must specify a handler type')]
  return given.flatMap((kind, index) =>
    index > 0
      ? [forbidden(`${place}.${kind}`, 'may not specify more than 1 handler type')]
      : actionProblems(kind, fieldsAt(handler, kind) ?? {}, `${place}.${kind}`, gracePeriod),
  )
}

function actionProblems(kind: string, action: Draft, at: string, gracePeriod: number | undefined): readonly FieldError[] {
  switch (kind) {
    case 'exec':
      return listAt(action, 'command').length === 0 ? [required(`${at}.command`)] : []
    case 'httpGet':
      return getProblems(action, at)
    case 'sleep': {
      const seconds = integerAt(action, 'seconds') ?? 0
      const isOutside = gracePeriod !== undefined && (seconds < 0 || seconds > gracePeriod)
      const rule = `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriod})`
      return isOutside ? [invalid(at, seconds, rule)] : []
    }
    default:
      return targetProblems(valueAt(action, 'port'), `${at}.port`)
  }
}

function getProblems(action: Draft, at: string): readonly FieldError[] {
  const scheme = textAt(action, 'scheme') ?? ''
  return [
    ...((textAt(action, 'path') ?? '') === '' ? [required(`${at}.path`)] : []),
    ...targetProblems(valueAt(action, 'port'), `${at}.port`),
    ...(schemes.includes(scheme) ? [] : [notSupported(`${at}.scheme`, scheme, schemes)]),
    ...itemsAt(action, 'httpHeaders').flatMap(header => {
      const name = textAt(header, 'name') ?? ''
      return /^[-A-Za-z0-9]+$/.test(name) ? [] : [invalid(`${at}.httpHeaders`, name, headerRule)]
    }),
  ]
}
