// Containers of pods and templates: names, images, ports, environment, mounts, probes, resources; in upstream's order and words.
import { duplicate, type FieldError, forbidden, invalid, notFound, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { compareQuantities, parseQuantity, wholeValue } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt, valueAt } from '../../json-value.ts'

/** The part of the pod that the rules of its containers depend on. */
interface ContainerSurroundings {
  readonly volumes: ReadonlySet<unknown>
  readonly isHostNetwork: boolean
  readonly isInit: boolean
}

/** Everything that is wrong with the container at `at`. */
export function containerProblems(container: Draft, at: string, around: ContainerSurroundings): readonly FieldError[] {
  const problems: FieldError[] = []
  const name = textAt(container, 'name') ?? ''
  if (name === '') problems.push(required(`${at}.name`))
  else problems.push(...dns1123LabelProblems(name).map(rule => invalid(`${at}.name`, name, rule)))
  const image = textAt(container, 'image') ?? ''
  if (image === '') problems.push(required(`${at}.image`))
  else if (image.trim() !== image) problems.push(invalid(`${at}.image`, image, 'must not have leading or trailing whitespace'))
  const isSidecar = container['restartPolicy'] === 'Always'
  if (around.isInit && !isSidecar) {
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'])
      if (container[field] !== undefined)
        problems.push(forbidden(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always'))
  } else {
    problems.push(...hookProblems(container, at))
    for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const)
      problems.push(...probeProblems(container, probe, at))
  }
  problems.push(...portProblems(container, at, around), ...variableProblems(container, at))
  problems.push(...allKeysProblems(container, at))
  problems.push(...mountProblems(container, at, around), ...policyProblems(container, at))
  problems.push(...resourceProblems(container, at), ...containerSecurityProblems(container, at))
  return problems
}

const protocols = ['SCTP', 'TCP', 'UDP']

function portProblems(container: Draft, at: string, { isHostNetwork }: ContainerSurroundings): readonly FieldError[] {
  const problems: FieldError[] = []
  const names = new Set<string>()
  for (const [index, port] of itemsAt(container, 'ports').entries()) {
    const place = `${at}.ports[${index}]`
    const name = textAt(port, 'name') ?? ''
    if (name !== '') {
      problems.push(...portNameRules(name).map(rule => invalid(`${place}.name`, name, rule)))
      if (names.has(name)) problems.push(duplicate(`${place}.name`, name))
      names.add(name)
    }
    const number = port['containerPort']
    if (number === undefined || number === 0) problems.push(required(`${place}.containerPort`))
    else if (!isPort(number)) problems.push(invalid(`${place}.containerPort`, number, portRange))
    const hostPort = port['hostPort']
    if (hostPort !== undefined && hostPort !== 0) {
      if (!isPort(hostPort)) problems.push(invalid(`${place}.hostPort`, hostPort, portRange))
      else if (isHostNetwork && hostPort !== number)
        problems.push(invalid(`${place}.hostPort`, hostPort, 'must match `containerPort` when `hostNetwork` is true'))
    }
    const protocol = textAt(port, 'protocol') ?? 'TCP'
    if (!protocols.includes(protocol)) problems.push(notSupported(`${place}.protocol`, protocol, protocols))
  }
  return problems
}

const portRange = 'must be between 1 and 65535, inclusive'

function isPort(value: unknown): boolean {
  return typeof value === 'number' && value >= 1 && value <= 65_535
}

/** What a port's name breaks: IANA's service names. */
function portNameRules(name: string): readonly string[] {
  const rules: string[] = []
  if (name.length > 15) rules.push('must be no more than 15 characters')
  if (!/^[-a-z0-9]+$/i.test(name) || /[A-Z]/.test(name))
    rules.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(name)) rules.push('must contain at least one letter (a-z)')
  if (name.includes('--')) rules.push('must not contain consecutive hyphens')
  if (name.startsWith('-') || name.endsWith('-')) rules.push('must not begin or end with a hyphen')
  return rules
}

const podFields = new Set([
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
])

function variableProblems(container: Draft, at: string): readonly FieldError[] {
  return itemsAt(container, 'env').flatMap((variable, index): FieldError[] => {
    const place = `${at}.env[${index}]`
    const name = textAt(variable, 'name') ?? ''
    const problems: FieldError[] = []
    if (name === '') problems.push(required(`${place}.name`))
    else if (!/^[ -<>-~]+$/.test(name))
      problems.push(
        invalid(
          `${place}.name`,
          name,
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
      )
    const from = fieldsAt(variable, 'valueFrom')
    if (from === undefined) return problems
    if ((textAt(variable, 'value') ?? '') !== '')
      problems.push(invalid(`${place}.valueFrom`, '', 'may not be specified when `value` is not empty'))
    const path = textAt(from, 'fieldRef', 'fieldPath')
    if (path !== undefined && !podFields.has(path) && !/^metadata\.(labels|annotations)\['.+'\]$/.test(path))
      problems.push(
        invalid(`${place}.valueFrom.fieldRef.fieldPath`, path, `error converting fieldPath: field label not supported: ${path}`),
      )
    return problems
  })
}

function mountProblems(container: Draft, at: string, { volumes }: ContainerSurroundings): readonly FieldError[] {
  const paths = new Set<unknown>()
  return itemsAt(container, 'volumeMounts').flatMap((mount, index): FieldError[] => {
    const place = `${at}.volumeMounts[${index}]`
    const problems: FieldError[] = []
    const path = textAt(mount, 'mountPath') ?? ''
    if (!volumes.has(mount['name'])) problems.push(notFound(`${place}.name`, mount['name']))
    if (path === '') problems.push(required(`${place}.mountPath`))
    else if (paths.has(path)) problems.push(invalid(`${place}.mountPath`, path, 'must be unique'))
    paths.add(path)
    return problems
  })
}

const pullPolicies = ['Always', 'IfNotPresent', 'Never']
const lastWords = ['File', 'FallbackToLogsOnError']
const resizePolicies = ['NotRequired', 'RestartContainer']

function policyProblems(container: Draft, at: string): readonly FieldError[] {
  const pull = textAt(container, 'imagePullPolicy')
  const problems: FieldError[] = []
  if (pull !== undefined && !pullPolicies.includes(pull)) problems.push(notSupported(`${at}.imagePullPolicy`, pull, pullPolicies))
  const words = textAt(container, 'terminationMessagePolicy')
  if (words !== undefined && !lastWords.includes(words))
    problems.push(notSupported(`${at}.terminationMessagePolicy`, words, lastWords))
  for (const policy of itemsAt(container, 'resizePolicy')) {
    const restart = textAt(policy, 'restartPolicy') ?? ''
    if (!resizePolicies.includes(restart)) problems.push(notSupported(`${at}.resizePolicy`, restart, resizePolicies))
  }
  return problems
}

const handlers = ['exec', 'httpGet', 'tcpSocket'] as const

/** One of `kinds`, and only one. */
function handlerProblems(of: Draft, place: string, kinds: readonly string[]): readonly FieldError[] {
  const [first, ...others] = kinds.filter(kind => of[kind] !== undefined)
  if (first === undefined) return [required(place, 'must specify a handler type')]
  const problems: FieldError[] = []
  if (first === 'exec' && listAt(of, 'exec', 'command').length === 0) problems.push(required(`${place}.exec.command`))
  if (first === 'httpGet' || first === 'tcpSocket')
    problems.push(...targetProblems(valueAt(of, first, 'port'), `${place}.${first}.port`))
  for (const other of others) problems.push(forbidden(`${place}.${other}`, 'may not specify more than 1 handler type'))
  return problems
}

function hookProblems(container: Draft, at: string): readonly FieldError[] {
  return ['postStart', 'preStop'].flatMap(name => {
    const hook = fieldsAt(container, 'lifecycle', name)
    return hook === undefined ? [] : handlerProblems(hook, `${at}.lifecycle.${name}`, [...handlers, 'sleep'])
  })
}

/** Where all keys of something become variables. */
function allKeysProblems(container: Draft, at: string): readonly FieldError[] {
  return itemsAt(container, 'envFrom').flatMap(from => {
    const given = ['configMapRef', 'secretRef'].filter(kind => from[kind] !== undefined).length
    if (given === 1) return []
    const rule =
      given === 0 ? 'must specify one of: `configMapRef` or `secretRef`' : 'may not have more than one field specified at a time'
    return [invalid(`${at}.envFrom`, '', rule)]
  })
}

function probeProblems(
  container: Draft,
  name: 'livenessProbe' | 'readinessProbe' | 'startupProbe',
  at: string,
): readonly FieldError[] {
  const probe = fieldsAt(container, name)
  if (probe === undefined) return []
  const place = `${at}.${name}`
  const problems: FieldError[] = []
  problems.push(...handlerProblems(probe, place, [...handlers, 'grpc']))
  for (const field of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'])
    if (typeof probe[field] === 'number' && probe[field] < 0)
      problems.push(invalid(`${place}.${field}`, probe[field], 'must be greater than or equal to 0'))
  if (name !== 'readinessProbe' && typeof probe['successThreshold'] === 'number' && probe['successThreshold'] > 1)
    problems.push(invalid(`${place}.successThreshold`, probe['successThreshold'], 'must be 1'))
  return problems
}

/** A port by number or name. */
export function targetProblems(port: unknown, place: string): readonly FieldError[] {
  if (typeof port === 'string') return portNameRules(port).map(rule => invalid(place, port, rule))
  return isPort(port) ? [] : [invalid(place, port ?? 0, portRange)]
}

const standardResources = new Set(['cpu', 'memory', 'ephemeral-storage'])

function resourceProblems(container: Draft, at: string): readonly FieldError[] {
  const limits = fieldsAt(container, 'resources', 'limits') ?? {}
  const requests = fieldsAt(container, 'resources', 'requests') ?? {}
  const problems: FieldError[] = []
  for (const [name, value] of Object.entries(limits))
    problems.push(...amountProblems(name, String(value), `${at}.resources.limits[${name}]`))
  for (const [name, value] of Object.entries(requests)) {
    const limit = limits[name]
    if (limit === undefined && isFixed(name))
      problems.push(required(`${at}.resources.limits`, 'Limit must be set for non overcommitable resources'))
    problems.push(...amountProblems(name, String(value), `${at}.resources.requests[${name}]`))
    if (limit === undefined) continue
    const [asked, most] = [parseQuantity(String(value)), parseQuantity(String(limit))]
    if (asked.ok && most.ok && compareQuantities(asked.value, most.value) > 0) {
      const detail = `must be less than or equal to ${name} limit of ${String(limit)}`
      problems.push(invalid(`${at}.resources.requests`, String(value), detail))
    }
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)]
  const hasPlain = names.some(name => name === 'cpu' || name === 'memory')
  if (names.some(name => name.startsWith('hugepages-')) && !hasPlain)
    problems.push(forbidden(`${at}.resources`, 'HugePages require cpu or memory'))
  return problems
}

/** Resources that no container gets more of than it asked for. */
function isFixed(name: string): boolean {
  return name.startsWith('hugepages-') || (name.includes('/') && !/(^|\.)kubernetes\.io\//.test(name))
}

function amountProblems(name: string, value: string, place: string): readonly FieldError[] {
  const problems: FieldError[] = []
  if (!name.includes('/') && !standardResources.has(name) && !name.startsWith('hugepages-')) {
    problems.push(invalid(place, name, 'must be a standard resource type or fully qualified'))
    problems.push(invalid(place, name, 'must be a standard resource for containers'))
  } else problems.push(...qualifiedNameProblems(name).map(rule => invalid(place, name, rule)))
  const parsed = parseQuantity(value)
  if (!parsed.ok) return problems
  if (parsed.value.nanos < 0n) return [...problems, invalid(place, value, 'must be greater than or equal to 0')]
  const isWhole = parsed.value.nanos % 1_000_000_000n === 0n
  if (name.includes('/') && !isWhole) problems.push(invalid(place, value, 'must be an integer'))
  const page = name.startsWith('hugepages-') ? parseQuantity(name.slice('hugepages-'.length)) : undefined
  if (page?.ok === true && wholeValue(page.value) > 0n && wholeValue(parsed.value) % wholeValue(page.value) !== 0n)
    problems.push(invalid(place, value, `${value} is not positive integer multiple of ${name}`))
  return problems
}

const int32Maximum = 2_147_483_647

/** Identities that processes cannot have. */
export function identityProblems(context: Draft | undefined, place: string, fields: readonly string[]): readonly FieldError[] {
  return fields.flatMap(field => {
    const id = context?.[field]
    const isOutside = typeof id === 'number' ? id < 0 || id > int32Maximum : typeof id === 'bigint'
    return isOutside ? [invalid(`${place}.${field}`, id, `must be between 0 and ${int32Maximum}, inclusive`)] : []
  })
}

function containerSecurityProblems(container: Draft, at: string): readonly FieldError[] {
  const context = fieldsAt(container, 'securityContext')
  if (context === undefined) return []
  const problems = [...identityProblems(context, `${at}.securityContext`, ['runAsUser', 'runAsGroup'])]
  const isContradiction =
    context['allowPrivilegeEscalation'] === false &&
    (context['privileged'] === true || listAt(context, 'capabilities', 'add').some(name => name === 'CAP_SYS_ADMIN'))
  if (isContradiction)
    problems.push(
      invalid(
        `${at}.securityContext`,
        printedContext(context),
        'cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
      ),
    )
  return problems
}

/** A security context as Go's struct prints it. */
function printedContext(context: Draft): unknown {
  const names = [
    'capabilities',
    'privileged',
    'seLinuxOptions',
    'windowsOptions',
    'runAsUser',
    'runAsGroup',
    'runAsNonRoot',
    'readOnlyRootFilesystem',
    'allowPrivilegeEscalation',
    'procMount',
    'seccompProfile',
    'appArmorProfile',
  ]
  const goName = (name: string) =>
    name === 'seLinuxOptions' ? 'SELinuxOptions' : `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`
  return Object.fromEntries(names.map(name => [goName(name), context[name] ?? null]))
}
