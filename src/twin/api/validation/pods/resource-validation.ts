// What containers, or a pod as a whole, ask for and may take; in upstream's order and words.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { qualifiedNameProblems } from '#kube/objects/names.ts'
import { compareQuantities, parseQuantity, wholeValue } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt } from '../../../json-value.ts'
import { resourceNameProblems } from '../allowance-validation.ts'
import { resourceClaimProblems } from './security-validation.ts'

const ofContainers: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage'])
const ofPods: ReadonlySet<string> = new Set(['cpu', 'memory'])
const hugePages = 'hugepages-'

type NameRule = (name: string, place: string) => readonly FieldError[]

/** Everything that is wrong with the resources of the container at `at`; `claims` are the pod's. */
export function resourceProblems(resources: Draft | undefined, at: string, claims: readonly string[]): readonly FieldError[] {
  return [...amountProblems(resources, at, containerName), ...resourceClaimProblems(resources, at, claims)]
}

/** What is wrong with the resources of a pod as a whole. */
export function podResourceProblems(spec: Draft, path: string, claims: readonly string[]): readonly FieldError[] {
  const resources = fieldsAt(spec, 'resources')
  const at = `${path}.resources`
  if (resources === undefined) return []
  if (valueOfSystem(spec) === 'windows') return [forbidden(at, 'may not be set for a windows pod')]
  return [
    ...(resources['claims'] === undefined ? [] : [forbidden(`${at}.claims`, 'claims may not be set for Resources at pod-level')]),
    ...amountProblems(resources, at, podName),
    ...resourceClaimProblems(resources, at, claims),
  ]
}

function valueOfSystem(spec: Draft): unknown {
  return fieldsAt(spec, 'os')?.['name']
}

/** What is wrong with amounts that a pod takes beside what its containers ask for. */
export function overheadProblems(overhead: Draft, at: string): readonly FieldError[] {
  return amountProblems({ limits: overhead }, at, containerName)
}

function containerName(name: string, place: string): readonly FieldError[] {
  const problems = resourceNameProblems(name, place)
  if (!name.includes('/')) {
    const isKnown = ofContainers.has(name) || name.startsWith(hugePages)
    return isKnown ? problems : [...problems, invalid(place, name, 'must be a standard resource for containers')]
  }
  return isNative(name) || isExtended(name)
    ? problems
    : [...problems, invalid(place, name, "doesn't follow extended resource name standard")]
}

function podName(name: string, place: string): readonly FieldError[] {
  const problems = resourceNameProblems(name, place)
  if (problems.length > 0 || ofPods.has(name) || name.startsWith(hugePages)) return problems
  return [notSupported(place, name, ['cpu', hugePages, 'memory'])]
}

function isNative(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/')
}

function isExtended(name: string): boolean {
  return !isNative(name) && !name.startsWith('requests.') && qualifiedNameProblems(`requests.${name}`).length === 0
}

function amountProblems(resources: Draft | undefined, at: string, nameRule: NameRule): readonly FieldError[] {
  const [limits, requests] = [fieldsAt(resources, 'limits') ?? {}, fieldsAt(resources, 'requests') ?? {}]
  const problems: FieldError[] = []
  for (const [name, value] of Object.entries(limits))
    problems.push(...oneAmount(name, String(value), `${at}.limits[${name}]`, nameRule))
  for (const [name, value] of Object.entries(requests)) {
    problems.push(...oneAmount(name, String(value), `${at}.requests[${name}]`, nameRule))
    problems.push(...boundProblems(name, String(value), limits[name], at))
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)]
  const isAlone = !names.some(name => name === 'cpu' || name === 'memory')
  if (isAlone && names.some(name => name.startsWith(hugePages))) problems.push(forbidden(at, 'HugePages require cpu or memory'))
  return problems
}

/** What is asked for is no more than the limit, or all of it where no container gets more than it asked for. */
function boundProblems(name: string, value: string, limit: unknown, at: string): readonly FieldError[] {
  const isFixed = name.startsWith(hugePages) || isExtended(name)
  if (limit === undefined) return isFixed ? [required(`${at}.limits`, 'Limit must be set for non overcommitable resources')] : []
  const [asked, most] = [parseQuantity(value), parseQuantity(String(limit))]
  const order = asked.ok && most.ok ? compareQuantities(asked.value, most.value) : 0
  const shown = `${name} limit of ${String(limit)}`
  if (order !== 0 && isFixed) return [invalid(`${at}.requests`, value, `must be equal to ${shown}`)]
  return order > 0 ? [invalid(`${at}.requests`, value, `must be less than or equal to ${shown}`)] : []
}

/** Amounts that are counted. */
const counted: ReadonlySet<string> = new Set([
  ...['pods', 'resourcequotas', 'services', 'replicationcontrollers', 'secrets', 'configmaps', 'persistentvolumeclaims'],
  ...['services.nodeports', 'services.loadbalancers'],
])

/** What is wrong with the amount of a resource. */
export function quantityProblems(name: string, value: string, place: string): readonly FieldError[] {
  const parsed = parseQuantity(value)
  if (!parsed.ok) return []
  const isCounted = counted.has(name) || isExtended(name)
  return [
    ...(parsed.value.nanos < 0n ? [invalid(place, value, 'must be greater than or equal to 0')] : []),
    ...(isCounted && parsed.value.nanos % 1_000_000_000n !== 0n ? [invalid(place, value, 'must be an integer')] : []),
  ]
}

function oneAmount(name: string, value: string, place: string, nameRule: NameRule): readonly FieldError[] {
  const problems = [...nameRule(name, place), ...quantityProblems(name, value, place)]
  if (!name.startsWith(hugePages)) return problems
  const [amount, page] = [parseQuantity(value), parseQuantity(name.slice(hugePages.length))]
  const isDivided =
    amount.ok && page.ok && wholeValue(page.value) > 0n && wholeValue(amount.value) % wholeValue(page.value) === 0n
  return isDivided ? problems : [...problems, invalid(place, value, `${value} is not positive integer multiple of ${name}`)]
}
