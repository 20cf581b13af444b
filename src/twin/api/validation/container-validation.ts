// Containers of pods and templates: names, images, ports, environment, mounts, probes, resources; in upstream's order and words.
import { duplicate, type FieldError, forbidden, invalid, notFound, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { compareQuantities, parseQuantity, wholeValue } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt, valueAt } from '../../json-value.ts'
import { allKeysProblems, valueSourceProblems } from './pods/environment-validation.ts'
import { profileProblems, resourceClaimProblems } from './pods/security-validation.ts'

/** The part of the pod that the rules of its containers depend on. */
export interface ContainerSurroundings {
  /** By name. */
  readonly volumes: ReadonlyMap<unknown, Draft>
  readonly isHostNetwork: boolean
  /** It shares the users of its node. */
  readonly hasHostUsers: boolean
  /** Names of the pod's resource claims. */
  readonly claims: readonly string[]
  readonly kind: 'main' | 'init' | 'ephemeral'
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
  if (around.kind !== 'ephemeral') problems.push(...restartProblems(container, at, around))
  if (around.kind === 'init' && !isSidecar) {
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'])
      if (container[field] !== undefined)
        problems.push(forbidden(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always'))
  } else if (around.kind !== 'ephemeral') {
    problems.push(...hookProblems(container, at))
    for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const)
      problems.push(...probeProblems(container, probe, at))
  }
  problems.push(...portProblems(container, at, around), ...variableProblems(container, at, around))
  problems.push(...allKeysProblems(container, at))
  problems.push(...mountProblems(container, at, around), ...deviceProblems(container, at, around))
  problems.push(...policyProblems(container, at), ...resourceProblems(container, at))
  problems.push(...resourceClaimProblems(fieldsAt(container, 'resources'), `${at}.resources`, around.claims))
  problems.push(...containerSecurityProblems(container, at, around))
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

function variableProblems(container: Draft, at: string, { volumes }: ContainerSurroundings): readonly FieldError[] {
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
    return [...problems, ...valueSourceProblems(variable, `${place}.valueFrom`, volumes)]
  })
}

function mountProblems(container: Draft, at: string, { volumes }: ContainerSurroundings): readonly FieldError[] {
  const paths = new Set<unknown>()
  return itemsAt(container, 'volumeMounts').flatMap((mount, index): FieldError[] => {
    const place = `${at}.volumeMounts[${index}]`
    const problems: FieldError[] = []
    const path = textAt(mount, 'mountPath') ?? ''
    const name = textAt(mount, 'name') ?? ''
    if (name === '') problems.push(required(`${place}.name`))
    if (!volumes.has(name)) problems.push(notFound(`${place}.name`, name))
    if (path === '') problems.push(required(`${place}.mountPath`))
    else if (paths.has(path)) problems.push(invalid(`${place}.mountPath`, path, 'must be unique'))
    paths.add(path)
    problems.push(...sharingProblems(mount, container, `${at}.volumeMounts`))
    return problems
  })
}

const propagations = ['Bidirectional', 'HostToContainer', 'None']
const recursions = ['Disabled', 'Enabled', 'IfPossible']

/** How a mount is shared with its node; upstream tells it at the list. */
function sharingProblems(mount: Draft, container: Draft, at: string): readonly FieldError[] {
  const [propagation, recursion] = [textAt(mount, 'mountPropagation'), textAt(mount, 'recursiveReadOnly')]
  const isPrivileged = valueAt(container, 'securityContext', 'privileged') === true
  const problems: FieldError[] = []
  if (propagation !== undefined && !propagations.includes(propagation))
    problems.push(notSupported(`${at}.mountPropagation`, propagation, propagations))
  if (propagation === 'Bidirectional' && !isPrivileged)
    problems.push(
      forbidden(`${at}.mountPropagation`, 'Bidirectional mount propagation is available only to privileged containers'),
    )
  if (recursion === undefined || recursion === 'Disabled') return problems
  const place = `${at}.recursiveReadOnly`
  if (!recursions.includes(recursion)) return [...problems, notSupported(place, recursion, recursions)]
  if (mount['readOnly'] !== true) problems.push(forbidden(place, 'may only be specified when readOnly is true'))
  if (propagation !== undefined && propagation !== 'None')
    problems.push(forbidden(place, 'may only be specified when mountPropagation is None or not specified'))
  return problems
}

/** Volumes as block devices. */
function deviceProblems(container: Draft, at: string, { volumes }: ContainerSurroundings): readonly FieldError[] {
  return itemsAt(container, 'volumeDevices').flatMap((device, index) => {
    const place = `${at}.volumeDevices[${index}]`
    const [name, path] = [textAt(device, 'name') ?? '', textAt(device, 'devicePath') ?? '']
    const volume = volumes.get(name)
    const isClaim = volume?.['persistentVolumeClaim'] !== undefined || volume?.['ephemeral'] !== undefined
    const rule = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'
    return [
      ...(name === '' ? [required(`${place}.name`)] : []),
      ...(volume === undefined ? [notFound(`${place}.name`, name)] : isClaim ? [] : [invalid(`${place}.name`, name, rule)]),
      ...(path === '' ? [required(`${place}.devicePath`)] : []),
    ]
  })
}

const restarts = ['Always', 'Never', 'OnFailure']
const restartActions = ['Restart', 'RestartAllContainers']
const exitOperators = ['In', 'NotIn']

/** A container's own policy of restarts, and the rules that go before it. */
function restartProblems(container: Draft, at: string, { kind }: ContainerSurroundings): readonly FieldError[] {
  const policy = textAt(container, 'restartPolicy')
  // Rules of init containers are looked at elsewhere, or not at all.
  const rules = kind === 'init' ? [] : itemsAt(container, 'restartPolicyRules')
  const place = `${at}.restartPolicy`
  const problems: FieldError[] = []
  if (policy === undefined && itemsAt(container, 'restartPolicyRules').length > 0)
    problems.push(required(place, 'must specify restartPolicy when restart rules are used'))
  if (policy !== undefined && !restarts.includes(policy)) problems.push(notSupported(place, policy, restarts))
  for (const [index, rule] of rules.entries()) {
    const [action, codes] = [textAt(rule, 'action') ?? '', fieldsAt(rule, 'exitCodes')]
    const operator = textAt(codes, 'operator') ?? ''
    if (!restartActions.includes(action)) problems.push(notSupported(`${place}Rules[${index}].action`, action, restartActions))
    if (codes === undefined) problems.push(required(`${place}Rules[${index}].exitCodes`, 'must be specified'))
    else if (!exitOperators.includes(operator))
      problems.push(notSupported(`${place}Rules[${index}].exitCodes.operator`, operator, exitOperators))
  }
  return problems
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
    const resource = textAt(policy, 'resourceName') ?? ''
    if (resource === '') problems.push(required(`${at}.resizePolicy`))
    else if (resource !== 'cpu' && resource !== 'memory')
      problems.push(notSupported(`${at}.resizePolicy`, resource, ['cpu', 'memory']))
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
  const problems: FieldError[] = [...headerProblems(of, place)]
  if (first === 'exec' && listAt(of, 'exec', 'command').length === 0) problems.push(required(`${place}.exec.command`))
  if (first === 'httpGet' || first === 'tcpSocket')
    problems.push(...targetProblems(valueAt(of, first, 'port'), `${place}.${first}.port`))
  for (const other of others) problems.push(forbidden(`${place}.${other}`, 'may not specify more than 1 handler type'))
  return problems
}

const headerRule =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"

function headerProblems(handler: Draft, place: string): readonly FieldError[] {
  return itemsAt(handler, 'httpGet', 'httpHeaders').flatMap(header => {
    const name = textAt(header, 'name') ?? ''
    return /^[-A-Za-z0-9]+$/.test(name) ? [] : [invalid(`${place}.httpGet.httpHeaders`, name, headerRule)]
  })
}

function hookProblems(container: Draft, at: string): readonly FieldError[] {
  return ['postStart', 'preStop'].flatMap(name => {
    const hook = fieldsAt(container, 'lifecycle', name)
    return hook === undefined ? [] : handlerProblems(hook, `${at}.lifecycle.${name}`, [...handlers, 'sleep'])
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

function containerSecurityProblems(container: Draft, at: string, { hasHostUsers }: ContainerSurroundings): readonly FieldError[] {
  const context = fieldsAt(container, 'securityContext')
  if (context === undefined) return []
  const problems = [...identityProblems(context, `${at}.securityContext`, ['runAsUser', 'runAsGroup'])]
  problems.push(...profileProblems(context, `${at}.securityContext`), ...mountOfProcProblems(context, at, hasHostUsers))
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

function mountOfProcProblems(context: Draft, at: string, hasHostUsers: boolean): readonly FieldError[] {
  const mount = textAt(context, 'procMount')
  const place = `${at}.securityContext.procMount`
  if (mount === undefined || mount === 'Default') return []
  if (mount !== 'Unmasked') return [notSupported(place, mount, ['Default', 'Unmasked'])]
  return hasHostUsers ? [invalid(place, mount, '`hostUsers` must be false to use `Unmasked`')] : []
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
