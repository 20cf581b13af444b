// Ports of containers and those that something else asks for; in upstream's order and words.
import { duplicate, type FieldError, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { type Draft, itemsAt, numberAt, textAt } from '../../../json-value.ts'

const protocols = ['SCTP', 'TCP', 'UDP']

export const portRange = 'must be between 1 and 65535, inclusive'

/** Whether a number is one of a port. */
export function isPort(value: unknown): boolean {
  return typeof value === 'number' && value >= 1 && value <= 65_535
}

/** What a port's name breaks: IANA's service names. */
export function portNameRules(name: string): readonly string[] {
  const rules: string[] = []
  if (name.length > 15) rules.push('must be no more than 15 characters')
  if (!/^[-a-z0-9]+$/i.test(name) || /[A-Z]/.test(name))
    rules.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(name)) rules.push('must contain at least one letter (a-z)')
  if (name.includes('--')) rules.push('must not contain consecutive hyphens')
  if (name.startsWith('-') || name.endsWith('-')) rules.push('must not begin or end with a hyphen')
  return rules
}

/** A port by number or name. */
export function targetProblems(port: unknown, place: string): readonly FieldError[] {
  if (typeof port === 'string') return portNameRules(port).map(rule => invalid(place, port, rule))
  return isPort(port) ? [] : [invalid(place, port ?? 0, portRange)]
}

/** What is wrong with the ports of the container at `at`. */
export function portProblems(container: Draft, at: string): readonly FieldError[] {
  const names = new Set<string>()
  return itemsAt(container, 'ports').flatMap((port, index): readonly FieldError[] => {
    const place = `${at}.ports[${index}]`
    const name = textAt(port, 'name') ?? ''
    const rules = name === '' ? [] : portNameRules(name)
    const isRepeated = name !== '' && rules.length === 0 && names.has(name)
    if (rules.length === 0) names.add(name)
    const [number, hostPort] = [numberAt(port, 'containerPort') ?? 0, numberAt(port, 'hostPort') ?? 0]
    const protocol = textAt(port, 'protocol') ?? ''
    return [
      ...rules.map(rule => invalid(`${place}.name`, name, rule)),
      ...(isRepeated ? [duplicate(`${place}.name`, name)] : []),
      ...(number === 0
        ? [required(`${place}.containerPort`)]
        : isPort(number)
          ? []
          : [invalid(`${place}.containerPort`, number, portRange)]),
      ...(hostPort === 0 || isPort(hostPort) ? [] : [invalid(`${place}.hostPort`, hostPort, portRange)]),
      ...(protocol === ''
        ? [required(`${place}.protocol`)]
        : protocols.includes(protocol)
          ? []
          : [notSupported(`${place}.protocol`, protocol, protocols)]),
    ]
  })
}

/** Ports of the host that more than one of the containers at `at` takes */
export function hostPortClashes(containers: readonly Draft[], at: string): readonly FieldError[] {
  const taken = new Set<string>()
  return containers.flatMap((container, number) =>
    itemsAt(container, 'ports').flatMap((port, index) => {
      const hostPort = numberAt(port, 'hostPort') ?? 0
      const key = `${textAt(port, 'protocol') ?? ''}/${textAt(port, 'hostIP') ?? ''}/${hostPort}`
      if (hostPort === 0) return []
      const isTaken = taken.has(key)
      taken.add(key)
      return isTaken ? [duplicate(`${at}[${number}].ports[${index}].hostPort`, key)] : []
    }),
  )
}

/** On the host's network a container has the port that it listens on; `isPod`: a template may leave it out. */
export function hostNetworkProblems(spec: Draft, path: string, isPod: boolean): readonly FieldError[] {
  if (spec['hostNetwork'] !== true) return []
  return itemsAt(spec, 'containers').flatMap((container, number) =>
    itemsAt(container, 'ports').flatMap((port, index) => {
      const [host, own] = [numberAt(port, 'hostPort') ?? 0, numberAt(port, 'containerPort') ?? 0]
      const place = `${path}.containers[${number}].ports[${index}].hostPort`
      return (isPod || host !== 0) && host !== own
        ? [invalid(place, host, 'must match `containerPort` when `hostNetwork` is true')]
        : []
    }),
  )
}
