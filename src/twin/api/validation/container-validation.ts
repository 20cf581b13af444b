// Containers of pods and templates: names, images, ports, environment, mounts, resources, rights; in upstream's order and words.
import { duplicate, type FieldError, forbidden, invalid, notFound, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, integerAt, itemsAt, listAt, textAt, valueAt } from '../../json-value.ts'
import { printedStruct } from '../../schema/printed-struct.ts'
import { allKeysProblems, valueSourceProblems, variableNameRules } from './pods/environment-validation.ts'
import { type HandlerSurroundings, handlingProblems, unhandledProblems } from './pods/handler-validation.ts'
import { hostPortClashes, portProblems } from './pods/port-validation.ts'
import { resourceProblems } from './pods/resource-validation.ts'
import { profileProblems } from './pods/security-validation.ts'
import { backstepProblems, descendingProblems } from './volumes/paths.ts'

/** The part of the pod that the rules of its containers depend on. */
export interface ContainerSurroundings extends HandlerSurroundings {
  /** By name. */
  readonly volumes: ReadonlyMap<unknown, Draft>
  /** It shares the users of its node. */
  readonly hasHostUsers: boolean
  /** Names of the pod's resource claims. */
  readonly claims: readonly string[]
  /** When its containers are started anew. */
  readonly restartPolicy: string | undefined
}

/** What is wrong with any container, at `at`. */
export function containerProblems(container: Draft, at: string, around: ContainerSurroundings): readonly FieldError[] {
  const [name, image] = [textAt(container, 'name') ?? '', textAt(container, 'image') ?? '']
  return [
    ...(name === '' ? [required(`${at}.name`)] : dns1123LabelProblems(name).map(rule => invalid(`${at}.name`, name, rule))),
    ...(image === '' ? [required(`${at}.image`)] : []),
    ...choiceProblems(container, 'terminationMessagePolicy', ['File', 'FallbackToLogsOnError'], at),
    ...portProblems(container, `${at}`),
    ...variableProblems(container, at),
    ...allKeysProblems(container, at),
    ...mountProblems(container, at, around),
    ...deviceProblems(container, at, around),
    ...choiceProblems(container, 'imagePullPolicy', ['Always', 'IfNotPresent', 'Never'], at),
    ...resourceProblems(fieldsAt(container, 'resources'), `${at}.resources`, around.claims),
    ...resizeProblems(container, at, around),
    ...containerSecurityProblems(container, at, around),
  ]
}

/** What is wrong with a container that runs as long as its pod. */
export function mainContainerProblems(container: Draft, at: string, around: ContainerSurroundings): readonly FieldError[] {
  return [...handlingProblems(container, at, around), ...restartProblems(container, at)]
}

/** What is wrong with a container that prepares the pod, or runs beside it from the start. */
export function initContainerProblems(
  container: Draft,
  at: string,
  { list, ...around }: ContainerSurroundings & { readonly list: string },
): readonly FieldError[] {
  const isSidecar = container['restartPolicy'] === 'Always'
  const resized = isSidecar ? [] : itemsAt(container, 'resizePolicy')
  return [
    // Upstream looks at each alone, and calls it the first.
    ...hostPortClashes([container], list),
    ...(isSidecar ? handlingProblems(container, at, around) : unhandledProblems(container, at)),
    ...resized.flatMap(({ restartPolicy }, index) =>
      restartPolicy === 'RestartContainer'
        ? [
            invalid(
              `${at}.resizePolicy[${index}].restartPolicy`,
              restartPolicy,
              "must not be set to 'RestartContainer' for non-sidecar initContainers",
            ),
          ]
        : [],
    ),
  ]
}

/** The image of a container of a pod itself is a name alone. */
export function imageProblems(container: Draft, at: string): readonly FieldError[] {
  const image = textAt(container, 'image') ?? ''
  return image.trim() === image ? [] : [invalid(`${at}.image`, image, 'must not have leading or trailing whitespace')]
}

/** A text that must be one of `choices`. */
function choiceProblems(container: Draft, field: string, choices: readonly string[], at: string): readonly FieldError[] {
  const value = textAt(container, field) ?? ''
  if (choices.includes(value)) return []
  return [value === '' ? required(`${at}.${field}`) : notSupported(`${at}.${field}`, value, choices)]
}

function variableProblems(container: Draft, at: string): readonly FieldError[] {
  return itemsAt(container, 'env').flatMap((variable, index): readonly FieldError[] => {
    const place = `${at}.env[${index}]`
    const name = textAt(variable, 'name') ?? ''
    return [
      ...(name === '' ? [required(`${place}.name`)] : variableNameRules(name).map(rule => invalid(`${place}.name`, name, rule))),
      ...valueSourceProblems(variable, `${place}.valueFrom`),
    ]
  })
}

function mountProblems(container: Draft, at: string, { volumes }: ContainerSurroundings): readonly FieldError[] {
  const paths = new Set<string>()
  const devices = new Map(
    itemsAt(container, 'volumeDevices').map(device => [textAt(device, 'name') ?? '', textAt(device, 'devicePath') ?? '']),
  )
  const devicePaths = new Set(devices.values())
  return itemsAt(container, 'volumeMounts').flatMap((mount, index): readonly FieldError[] => {
    const place = `${at}.volumeMounts[${index}]`
    const [name, path] = [textAt(mount, 'name') ?? '', textAt(mount, 'mountPath') ?? '']
    const [below, expression] = [textAt(mount, 'subPath') ?? '', textAt(mount, 'subPathExpr') ?? '']
    const isTaken = paths.has(path)
    paths.add(path)
    return [
      ...(name === '' ? [required(`${place}.name`)] : []),
      ...(volumes.has(name) ? [] : [notFound(`${place}.name`, name)]),
      ...(path === '' ? [required(`${place}.mountPath`)] : []),
      ...(isTaken ? [invalid(`${place}.mountPath`, path, 'must be unique')] : []),
      ...(devices.has(name) ? [invalid(`${place}.name`, name, 'must not already exist in volumeDevices')] : []),
      ...(devicePaths.has(path)
        ? [invalid(`${place}.mountPath`, path, 'must not already exist as a path in volumeDevices')]
        : []),
      ...(below === '' ? [] : descendingProblems(below, `${at}.volumeMounts.subPath`)),
      ...(below !== '' && expression !== ''
        ? [invalid(`${place}.subPathExpr`, expression, 'subPathExpr and subPath are mutually exclusive')]
        : []),
      ...(expression === '' ? [] : descendingProblems(expression, `${at}.volumeMounts.subPathExpr`)),
      ...sharingProblems(mount, container, `${at}.volumeMounts`),
    ]
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
  const [names, paths] = [new Set<string>(), new Set<string>()]
  const mounts = new Map(
    itemsAt(container, 'volumeMounts').map(mount => [textAt(mount, 'name') ?? '', textAt(mount, 'mountPath') ?? '']),
  )
  const mountPaths = new Set(mounts.values())
  return itemsAt(container, 'volumeDevices').flatMap((device, index): readonly FieldError[] => {
    const place = `${at}.volumeDevices[${index}]`
    const [name, path] = [textAt(device, 'name') ?? '', textAt(device, 'devicePath') ?? '']
    const volume = volumes.get(name)
    const isClaim = volume?.['persistentVolumeClaim'] !== undefined || volume?.['ephemeral'] !== undefined
    const rule = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'
    const [isNamed, isThere] = [names.has(name), paths.has(path)]
    const climbs = backstepProblems(path, place).length > 0
    if (name !== '') names.add(name)
    if (!climbs) paths.add(path)
    return [
      ...(name === '' ? [required(`${place}.name`)] : []),
      ...(isNamed ? [invalid(`${place}.name`, name, 'must be unique')] : []),
      ...(volume === undefined ? [notFound(`${place}.name`, name)] : isClaim ? [] : [invalid(`${place}.name`, name, rule)]),
      ...(path === '' ? [required(`${place}.devicePath`)] : []),
      ...(isThere ? [invalid(`${place}.devicePath`, path, 'must be unique')] : []),
      ...(climbs ? [invalid(`${place}.devicePath`, path, "can not contain backsteps ('..')")] : []),
      ...(mounts.has(name) ? [invalid(`${place}.name`, name, 'must not already exist in volumeMounts')] : []),
      ...(mountPaths.has(path) ? [invalid(`${place}.devicePath`, path, 'must not already exist as a path in volumeMounts')] : []),
    ]
  })
}

const restarts = ['Always', 'Never', 'OnFailure']
const restartActions = ['Restart', 'RestartAllContainers']
const exitOperators = ['In', 'NotIn']

/** A container's own policy of restarts, and the rules that go before it. */
function restartProblems(container: Draft, at: string): readonly FieldError[] {
  const policy = textAt(container, 'restartPolicy')
  const rules = itemsAt(container, 'restartPolicyRules')
  const place = `${at}.restartPolicy`
  const problems: FieldError[] = []
  if (policy === undefined && rules.length > 0)
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

/** Rules of an init container without a policy of its own are not looked at. */
export function initRestartProblems(container: Draft, at: string): readonly FieldError[] {
  if (container['restartPolicy'] !== undefined) return restartProblems(container, at)
  if (itemsAt(container, 'restartPolicyRules').length === 0) return []
  return [required(`${at}.restartPolicy`, 'must specify restartPolicy when restart rules are used')]
}

const resizable = ['cpu', 'memory']
const resizePolicies = ['NotRequired', 'RestartContainer']

function resizeProblems(container: Draft, at: string, { restartPolicy }: ContainerSurroundings): readonly FieldError[] {
  const seen = new Set<string>()
  const place = `${at}.resizePolicy`
  return itemsAt(container, 'resizePolicy').flatMap((policy, index): readonly FieldError[] => {
    const [resource, restart] = [textAt(policy, 'resourceName') ?? '', textAt(policy, 'restartPolicy') ?? '']
    const isRepeated = seen.has(resource)
    seen.add(resource)
    const oneOf = (value: string, choices: readonly string[]) =>
      choices.includes(value) ? [] : [value === '' ? required(place) : notSupported(place, value, choices)]
    return [
      ...(isRepeated ? [duplicate(`${place}[${index}]`, resource)] : []),
      ...oneOf(resource, resizable),
      ...oneOf(restart, resizePolicies),
      ...(restartPolicy === 'Never' && restart !== 'NotRequired'
        ? [invalid(place, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'")]
        : []),
    ]
  })
}

const int32Maximum = 2_147_483_647

/** Identities that processes cannot have. */
export function identityProblems(context: Draft | undefined, place: string, fields: readonly string[]): readonly FieldError[] {
  return fields.flatMap(field => idProblems(integerAt(context, field), `${place}.${field}`))
}

/** What is wrong with the number of a user or group. */
export function idProblems(id: number | bigint | undefined, place: string): readonly FieldError[] {
  const isOutside = id !== undefined && (id < 0 || id > int32Maximum)
  return isOutside ? [invalid(place, id, `must be between 0 and ${int32Maximum}, inclusive`)] : []
}

function containerSecurityProblems(container: Draft, at: string, { hasHostUsers }: ContainerSurroundings): readonly FieldError[] {
  const context = fieldsAt(container, 'securityContext')
  if (context === undefined) return []
  const place = `${at}.securityContext`
  const why = 'cannot set `allowPrivilegeEscalation` to false and'
  const isForbidden = context['allowPrivilegeEscalation'] === false
  const { seccomp, others } = profileProblems(context, place)
  return [
    ...identityProblems(context, place, ['runAsUser', 'runAsGroup']),
    ...mountOfProcProblems(context, place, hasHostUsers),
    ...seccomp,
    ...(isForbidden && context['privileged'] === true
      ? [invalid(place, printedStruct('SecurityContext', context), `${why} \`privileged\` to true`)]
      : []),
    ...(isForbidden ? listAt(context, 'capabilities', 'add') : [])
      .filter(name => name === 'CAP_SYS_ADMIN')
      .map(() => invalid(place, printedStruct('SecurityContext', context), `${why} \`capabilities.Add\` CAP_SYS_ADMIN`)),
    ...others,
  ]
}

function mountOfProcProblems(context: Draft, at: string, hasHostUsers: boolean): readonly FieldError[] {
  const mount = textAt(context, 'procMount')
  const place = `${at}.procMount`
  if (mount === undefined || mount === 'Default') return []
  if (mount !== 'Unmasked') return [notSupported(place, mount, ['Default', 'Unmasked'])]
  return hasHostUsers ? [invalid(place, mount, '`hostUsers` must be false to use `Unmasked`')] : []
}
