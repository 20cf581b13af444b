// What a namespace allows: LimitRanges, and the scopes of ResourceQuotas.
import { duplicate, type FieldError, forbidden, invalid, required } from '#kube/objects/field-error.ts'
import { qualifiedNameProblems } from '#kube/objects/names.ts'
import { compareQuantities, parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt } from '../../json-value.ts'

const limitTypes: ReadonlySet<string> = new Set(['Pod', 'Container', 'PersistentVolumeClaim'])
const containerResources: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage'])
/** Names without a prefix that mean something. */
const standardResources: ReadonlySet<string> = new Set([
  ...containerResources,
  ...[
    'storage',
    'pods',
    'services',
    'replicationcontrollers',
    'resourcequotas',
    'secrets',
    'configmaps',
    'persistentvolumeclaims',
  ],
  ...['requests.cpu', 'requests.memory', 'requests.storage', 'requests.ephemeral-storage'],
  ...['limits.cpu', 'limits.memory', 'limits.ephemeral-storage', 'services.nodeports', 'services.loadbalancers'],
])

/** What is wrong with the name of a resource. */
export function resourceNameProblems(name: string, place: string): readonly FieldError[] {
  const problems = qualifiedNameProblems(name).map(rule => invalid(place, name, rule))
  if (problems.length > 0 || name.includes('/') || standardResources.has(name) || /^(requests\.)?hugepages-/.test(name))
    return problems
  return [invalid(place, name, 'must be a standard resource type or fully qualified')]
}

/** What is wrong with the name of a resource that is limited for objects of a type. */
export function limitedNameProblems(type: string, name: string, place: string): readonly FieldError[] {
  const problems = resourceNameProblems(name, place)
  if (type !== 'Pod' && type !== 'Container') return problems
  if (problems.length > 0 && name.includes('/')) return problems
  const isOfContainers = name.includes('/') || containerResources.has(name) || name.startsWith('hugepages-')
  return isOfContainers ? problems : [...problems, invalid(place, name, 'must be a standard resource for containers')]
}

const bounds = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const

/** Pairs of bounds of which the first may not be more than the second: place, which value is shown, and the words. */
const order: readonly (readonly [less: string, more: string, place: string, shown: 'less' | 'more', words: string])[] = [
  ['min', 'max', 'min', 'less', 'min value % is greater than max value %'],
  ['min', 'defaultRequest', 'defaultRequest', 'more', 'min value % is greater than default request value %'],
  ['defaultRequest', 'max', 'defaultRequest', 'less', 'default request value % is greater than max value %'],
  ['defaultRequest', 'default', 'defaultRequest', 'less', 'default request value % is greater than default limit value %'],
  ['min', 'default', 'default', 'less', 'min value % is greater than default value %'],
  ['default', 'max', 'default', 'more', 'default value % is greater than max value %'],
]

/** Everything that is wrong with a LimitRange. */
export function limitRangeProblems(draft: Draft): readonly FieldError[] {
  const seen = new Set<string>()
  return itemsAt(draft, 'spec', 'limits').flatMap((limit, index) => {
    const at = `spec.limits[${index}]`
    const type = textAt(limit, 'type') ?? ''
    const isRepeated = seen.has(type)
    seen.add(type)
    const isOfPods = type === 'Pod'
    const named = bounds.filter(bound => !isOfPods || !bound.startsWith('default'))
    const storage = ['min', 'max'].some(bound => fieldsAt(limit, bound)?.['storage'] !== undefined)
    return [
      ...typeProblems(type, `${at}.type`),
      ...(isRepeated ? [duplicate(`${at}.type`, type)] : []),
      ...(isOfPods
        ? (['default', 'defaultRequest'] as const)
            .filter(bound => Object.keys(fieldsAt(limit, bound) ?? {}).length > 0)
            .map(bound => forbidden(`${at}.${bound}`, "may not be specified when `type` is 'Pod'"))
        : []),
      ...named.flatMap(bound =>
        Object.keys(fieldsAt(limit, bound) ?? {}).flatMap(name => limitedNameProblems(type, name, `${at}.${bound}[${name}]`)),
      ),
      ...(type === 'PersistentVolumeClaim' && !storage
        ? [required(`${at}.limits`, 'either minimum or maximum storage value is required, but neither was provided')]
        : []),
      ...orderProblems(limit, at),
    ]
  })
}

function typeProblems(type: string, place: string): readonly FieldError[] {
  const problems = qualifiedNameProblems(type).map(rule => invalid(place, type, rule))
  if (problems.length > 0 || type.includes('/') || limitTypes.has(type)) return problems
  return [invalid(place, type, 'must be a standard limit type or fully qualified')]
}

function orderProblems(limit: Draft, at: string): readonly FieldError[] {
  const names = new Set(bounds.flatMap(bound => Object.keys(fieldsAt(limit, bound) ?? {})))
  return [...names].flatMap(name => {
    const boundOf = (bound: string) => fieldsAt(limit, bound)?.[name]
    const found = order.flatMap(([less, more, place, shown, words]): FieldError[] => {
      const [low, high] = [boundOf(less), boundOf(more)]
      if (low === undefined || high === undefined || !isMore(low, high)) return []
      const [first, second] = words.startsWith(less === 'defaultRequest' ? 'default request' : less) ? [low, high] : [high, low]
      const text = words.replace('%', String(first)).replace('%', String(second))
      return [invalid(`${at}.${place}[${name}]`, shown === 'less' ? low : high, text)]
    })
    const ratio = boundOf('maxLimitRequestRatio')
    const isSmall = ratio !== undefined && isMore('1', ratio)
    return [
      ...found,
      ...(isSmall ? [invalid(`${at}.maxLimitRequestRatio[${name}]`, ratio, `ratio ${String(ratio)} is less than 1`)] : []),
    ]
  })
}

function isMore(left: unknown, right: unknown): boolean {
  const [one, other] = [parseQuantity(String(left)), parseQuantity(String(right))]
  return one.ok && other.ok && compareQuantities(one.value, other.value) > 0
}

const existing = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity']
const scopes = [...existing, 'PriorityClass', 'VolumeAttributesClass']

/** What is wrong with the scopes that a ResourceQuota selects. */
export function scopeProblems(draft: Draft): readonly FieldError[] {
  const at = 'spec.scopeSelector.matchExpressions'
  return itemsAt(draft, 'spec', 'scopeSelector', 'matchExpressions').flatMap(expression => {
    const [scope, operator] = [textAt(expression, 'scopeName') ?? '', textAt(expression, 'operator') ?? '']
    const values = listAt(expression, 'values')
    return [
      ...(scopes.includes(scope) ? [] : [invalid(`${at}.scopeName`, scope, 'unsupported scope')]),
      ...(existing.includes(scope) && operator !== 'Exists'
        ? [
            invalid(
              `${at}.operator`,
              operator,
              "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
            ),
          ]
        : []),
      ...operatorProblems(at, operator, values),
    ]
  })
}

function operatorProblems(at: string, operator: string, values: readonly unknown[]): readonly FieldError[] {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0
        ? []
        : [required(`${at}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")]
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0
        ? []
        : [invalid(`${at}.values`, values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector")]
    default:
      return [invalid(`${at}.operator`, operator, 'not a valid selector operator')]
  }
}
