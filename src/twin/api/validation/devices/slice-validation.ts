// ResourceSlices: which devices a driver has where, and what they are.
import { duplicate, type FieldError, forbidden, invalid, required, tooLong, tooMany } from '#kube/objects/field-error.ts'
import { dns1123SubdomainProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { compareQuantities, type Quantity, quantity, wholeValue } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, isFields, isSame, itemsAt, listAt, numberAt, textAt, valueAt } from '../../../json-value.ts'
import { nodeSelectorProblems } from '../pods/node-selector-validation.ts'
import {
  attributeNameProblems,
  bindingProblems,
  deviceTaintProblems,
  driverNameProblems,
  labelProblems,
  poolNameProblems,
} from './device-parts.ts'

const deviceCounts = { plain: 128, advanced: 64 } as const
const counterSets = 8
const countersOfSet = 32
const consumptions = 2
const valuesOfDevice = 32
const taintsOfDevice = 16
const optionsOfPolicy = 10

/** Everything that is wrong with a ResourceSlice but for its metadata. */
export function sliceProblems(draft: Draft, before?: KubeObject): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const devices = itemsAt(spec, 'devices')
  const sets = itemsAt(spec, 'sharedCounters')
  const isAdvanced = devices.some(
    device => itemsAt(device, 'taints').length > 0 || itemsAt(device, 'consumesCounters').length > 0,
  )
  const most = isAdvanced ? deviceCounts.advanced : deviceCounts.plain
  const isPerDevice = spec['perDeviceNodeSelection'] === true
  return [
    ...driverNameProblems('spec.driver', textAt(spec, 'driver') ?? ''),
    ...poolProblems(fieldsAt(spec, 'pool') ?? {}),
    ...(before === undefined ? [] : fixedProblems(spec, before)),
    ...placeProblems(spec),
    ...(spec['sharedCounters'] !== undefined && spec['devices'] !== undefined
      ? [invalid('spec', '', 'only one of `sharedCounters` or `devices` is allowed')]
      : []),
    ...(devices.length > most
      ? [tooMany('spec.devices', devices.length, most)]
      : [
          ...devices.flatMap((device, index) =>
            deviceProblems(`spec.devices[${index}]`, device, { isPerDevice, before: deviceBefore(before, device) }),
          ),
          ...repeated('spec.devices', devices, 'name'),
        ]),
    ...(sets.length > counterSets
      ? [tooMany('spec.sharedCounters', sets.length, counterSets)]
      : [
          ...sets.flatMap((set, index) => counterProblems(`spec.sharedCounters[${index}]`, set, 'name')),
          ...repeated('spec.sharedCounters', sets, 'name'),
        ]),
  ]
}

function repeated(at: string, items: readonly Draft[], field: string): readonly FieldError[] {
  const names = items.map(item => textAt(item, field) ?? '')
  return names.flatMap((name, index) => (names.indexOf(name) < index ? [duplicate(`${at}[${index}]`, name)] : []))
}

function deviceBefore(before: KubeObject | undefined, { name }: Draft): Draft | undefined {
  return itemsAt(before, 'spec', 'devices').find(device => device['name'] === name)
}

function poolProblems(pool: Draft): readonly FieldError[] {
  const [count, generation] = [numberAt(pool, 'resourceSliceCount') ?? 0, numberAt(pool, 'generation') ?? 0]
  return [
    ...poolNameProblems('spec.pool.name', textAt(pool, 'name') ?? ''),
    ...(count <= 0 ? [invalid('spec.pool.resourceSliceCount', count, 'must be greater than zero')] : []),
    ...(generation < 0 ? [invalid('spec.pool.generation', generation, 'must be greater than or equal to zero')] : []),
  ]
}

function fixedProblems(spec: Draft, before: KubeObject): readonly FieldError[] {
  return [['pool', 'name'], ['driver'], ['nodeName']].flatMap(path => {
    const none = path[0] === 'nodeName' ? null : ''
    const [now, earlier] = [valueAt(spec, ...path) ?? none, valueAt(before, 'spec', ...path) ?? none]
    return isSame(now, earlier) ? [] : [invalid(`spec.${path.join('.')}`, now, 'field is immutable')]
  })
}

/** How a slice or a device may say where it is: each with the words for one that says nothing. */
interface Places {
  readonly at: string
  readonly emptyName: string
  readonly hasOneTerm: boolean
}

/** What is said of nodes, and what is wrong with it. */
function nodesOf(holder: Draft, { at, emptyName, hasOneTerm }: Places): { named: string[]; problems: FieldError[] } {
  const [named, problems]: [string[], FieldError[]] = [[], []]
  const name = textAt(holder, 'nodeName')
  const selector = fieldsAt(holder, 'nodeSelector')
  if (name === '') problems.push(invalid(`${at}.nodeName`, name, emptyName))
  else if (name !== undefined) {
    named.push('`nodeName`')
    problems.push(...dns1123SubdomainProblems(name).map(rule => invalid(`${at}.nodeName`, name, rule)))
  }
  if (selector !== undefined) {
    named.push('`nodeSelector`')
    problems.push(...nodeSelectorProblems(`${at}.nodeSelector`, selector))
    const terms = listAt(selector, 'nodeSelectorTerms')
    if (hasOneTerm && terms.length !== 1)
      problems.push(
        invalid(
          `${at}.nodeSelector.nodeSelectorTerms`,
          terms.length === 0 ? null : terms,
          'must have exactly one node selector term',
        ),
      )
  }
  for (const field of ['allNodes', 'perDeviceNodeSelection']) {
    if (field === 'perDeviceNodeSelection' && !hasOneTerm) continue
    if (holder[field] === true) named.push(`\`${field}\``)
    else if (holder[field] === false) problems.push(invalid(`${at}.${field}`, false, 'must be either unset or set to true'))
  }
  return { named, problems }
}

function placeProblems(spec: Draft): readonly FieldError[] {
  const emptyName = 'must be either unset or set to a non-empty string'
  const { named, problems } = nodesOf(spec, { at: 'spec', emptyName, hasOneTerm: true })
  const rule = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required'
  if (named.length === 0) return [...problems, required('spec', rule)]
  if (named.length === 1) return problems
  return [...problems, invalid('spec', `{${named.join(', ')}}`, `${rule}, but multiple fields are set`)]
}

interface DeviceOptions {
  readonly isPerDevice: boolean
  readonly before: Draft | undefined
}

function deviceProblems(at: string, device: Draft, { isPerDevice, before }: DeviceOptions): readonly FieldError[] {
  const [attributes, capacity] = [fieldsAt(device, 'attributes') ?? {}, fieldsAt(device, 'capacity') ?? {}]
  const total = Object.keys(attributes).length + Object.keys(capacity).length
  const taints = itemsAt(device, 'taints')
  const consumed = itemsAt(device, 'consumesCounters')
  const isShared = device['allowMultipleAllocations'] === true
  const areTaintsKept = before !== undefined && isSame(before['taints'] ?? [], device['taints'] ?? [])
  return [
    ...labelProblems(`${at}.name`, textAt(device, 'name') ?? ''),
    ...(total > valuesOfDevice
      ? [invalid(at, total, `the total number of attributes and capacities must not exceed ${valuesOfDevice}`)]
      : []),
    ...membersOf(attributes, `${at}.attributes`, attributeProblems),
    ...membersOf(capacity, `${at}.capacity`, isShared ? sharedCapacityProblems : wholeCapacityProblems),
    ...(areTaintsKept
      ? []
      : taints.length > taintsOfDevice
        ? [tooMany(`${at}.taints`, taints.length, taintsOfDevice)]
        : taints.flatMap((taint, index) => deviceTaintProblems(`${at}.taints[${index}]`, taint))),
    ...(consumed.length > consumptions
      ? [tooMany(`${at}.consumesCounters`, consumed.length, consumptions)]
      : [
          ...consumed.flatMap((one, index) => counterProblems(`${at}.consumesCounters[${index}]`, one, 'counterSet')),
          ...repeated(`${at}.consumesCounters`, consumed, 'counterSet'),
        ]),
    ...devicePlaceProblems(at, device, isPerDevice),
    ...bindingProblems(at, device),
  ]
}

function devicePlaceProblems(at: string, device: Draft, isPerDevice: boolean): readonly FieldError[] {
  if (!isPerDevice) {
    const isPlaced = ['nodeName', 'nodeSelector', 'allNodes'].some(name => (device[name] ?? null) !== null)
    const why =
      '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec'
    return isPlaced ? [invalid(at, null, why)] : []
  }
  const { named, problems } = nodesOf(device, { at, emptyName: 'must not be empty', hasOneTerm: false })
  const rule =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec'
  if (named.length === 0) return [...problems, required(at, rule)]
  return named.length === 1 ? problems : [...problems, invalid(at, `{${named.join(', ')}}`, rule)]
}

/** Attributes or capacities with their names; a long name is shown cut. */
function membersOf(
  members: Draft,
  at: string,
  check: (at: string, member: Draft) => readonly FieldError[],
): readonly FieldError[] {
  return Object.entries(members).flatMap(([name, member]) => [
    ...attributeNameProblems(at, name),
    ...check(`${at}[${cut(name)}]`, isFields(member) ? member : {}),
  ])
}

const keyLength = 96

function cut(name: string): string {
  if (name.length <= keyLength) return name
  const left = keyLength - '...'.length
  return `${name.slice(0, Math.floor((left + 1) / 2))}...${name.slice(-Math.floor(left / 2))}`
}

const number = '(0|[1-9]\\d*)'
const preRelease = '(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)'
const build = '[0-9a-zA-Z-]+'
const version = new RegExp(`^${number}\\.${number}\\.${number}(-${preRelease}(\\.${preRelease})*)?(\\+${build}(\\.${build})*)?$`)
const valueLength = 64

function attributeProblems(at: string, attribute: Draft): readonly FieldError[] {
  const present = ['bool', 'int', 'string', 'version'].filter(name => (attribute[name] ?? null) !== null)
  const [text, semantic] = [textAt(attribute, 'string') ?? '', textAt(attribute, 'version')]
  const one = 'exactly one value must be specified'
  const shown = {
    IntValue: attribute['int'] ?? null,
    BoolValue: attribute['bool'] ?? null,
    StringValue: attribute['string'] ?? null,
    VersionValue: attribute['version'] ?? null,
  }
  return [
    ...(Buffer.byteLength(text) > valueLength ? [tooLong(`${at}.string`, valueLength)] : []),
    ...(semantic === undefined || version.test(semantic)
      ? []
      : [invalid(`${at}.version`, semantic, 'must be a string compatible with semver.org spec 2.0.0')]),
    ...(Buffer.byteLength(semantic ?? '') > valueLength ? [tooLong(`${at}.version`, valueLength)] : []),
    ...(present.length === 0 ? [invalid(at, '', one)] : present.length > 1 ? [invalid(at, shown, one)] : []),
  ]
}

function wholeCapacityProblems(at: string, capacity: Draft): readonly FieldError[] {
  return fieldsAt(capacity, 'requestPolicy') === undefined
    ? []
    : [forbidden(`${at}.requestPolicy`, 'allowMultipleAllocations must be true')]
}

/** A capacity of which claims take shares, by steps or by choice. */
function sharedCapacityProblems(at: string, capacity: Draft): readonly FieldError[] {
  const place = `${at}.requestPolicy`
  const policy = fieldsAt(capacity, 'requestPolicy')
  if (policy === undefined) return []
  const [values, range] = [listAt(policy, 'validValues'), fieldsAt(policy, 'validRange')]
  if (values.length > 0 && range !== undefined)
    return [
      forbidden(place, 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'),
    ]
  const standard = amount(policy['default'])
  const most = amount(capacity['value']) ?? quantity('0')
  if (values.length > 0)
    return standard === undefined
      ? [required(`${place}.default`, 'required when validValues is defined')]
      : optionProblems(`${place}.validValues`, values.map(String), { standard, most, shown: shown(policy['default'], capacity) })
  if (range === undefined) return []
  return standard === undefined
    ? [required(`${place}.default`, 'required when validRange is defined')]
    : rangeProblems(`${place}.validRange`, range, { standard, most, shown: shown(policy['default'], capacity) })
}

const amount = (value: unknown) => ((value ?? null) === null ? undefined : quantity(String(value)))
const shown = (standard: unknown, capacity: Draft) => ({ standard: String(standard), most: String(capacity['value'] ?? '0') })

interface Bounds {
  readonly standard: Quantity
  readonly most: Quantity
  readonly shown: { readonly standard: string; readonly most: string }
}

function optionProblems(at: string, options: readonly string[], { standard, most, shown }: Bounds): readonly FieldError[] {
  const amounts = options.map(option => quantity(option))
  const isMore = (one: Quantity | undefined, other: Quantity | undefined) =>
    one !== undefined && other !== undefined && compareQuantities(one, other) > 0
  const unsorted = options.flatMap((option, index) =>
    isMore(amounts[index - 1], amounts[index])
      ? [invalid(`${at}[${index}]`, option, 'values must be sorted in ascending order')]
      : [],
  )
  if (options.length > optionsOfPolicy) return [...unsorted, tooMany(at, options.length, optionsOfPolicy)]
  const isFound = amounts.some(one => compareQuantities(one, standard) === 0)
  return [
    ...unsorted,
    ...options.flatMap((option, index) =>
      isMore(amounts[index], most)
        ? [invalid(`${at}[${index}]`, option, `option is larger than capacity value: ${shown.most}`)]
        : [],
    ),
    ...(isFound ? [] : [invalid(at, shown.standard, 'default value is not valid according to the requestPolicy')]),
  ]
}

function rangeProblems(at: string, range: Draft, { standard, most, shown }: Bounds): readonly FieldError[] {
  const [least, largest, step] = ['min', 'max', 'step'].map(name => amount(range[name]))
  if (least === undefined) return [required(`${at}.min`, 'required when validRange is defined')]
  const text = (name: string) => String(range[name])
  const problems: FieldError[] = []
  const add = (isWrong: boolean, name: string, value: string, why: string) => {
    if (isWrong) problems.push(invalid(`${at}.${name}`, value, why))
  }
  add(compareQuantities(least, most) > 0, 'min', text('min'), `min is larger than capacity value: ${shown.most}`)
  add(compareQuantities(standard, least) < 0, 'min', shown.standard, `default is less than min: ${text('min')}`)
  if (largest !== undefined) {
    add(compareQuantities(least, largest) > 0, 'max', text('min'), `min is larger than max: ${text('max')}`)
    add(compareQuantities(largest, most) > 0, 'max', text('max'), `max is larger than capacity value: ${shown.most}`)
    add(compareQuantities(standard, largest) > 0, 'max', shown.standard, `default is more than max: ${text('max')}`)
  }
  if (step === undefined) return problems
  const [first, width] = [wholeValue(least), wholeValue(step)]
  const why = `value is not a multiple of a given step (${text('step')}) from (${text('min')})`
  const isOff = (value: Quantity) => width === 0n || (wholeValue(value) - first) % width !== 0n
  add(isOff(standard), 'step', shown.standard, why)
  if (largest !== undefined) add(isOff(largest), 'step', text('max'), why)
  return problems
}

function counterProblems(at: string, holder: Draft, field: string): readonly FieldError[] {
  const name = textAt(holder, field) ?? ''
  const counters = Object.keys(fieldsAt(holder, 'counters') ?? {})
  return [
    ...(name === '' ? [required(`${at}.${field}`)] : labelProblems(`${at}.${field}`, name)),
    ...(counters.length === 0 ? [required(`${at}.counters`)] : []),
    ...(counters.length > countersOfSet
      ? [tooMany(`${at}.counters`, counters.length, countersOfSet)]
      : counters.flatMap(counter => labelProblems(`${at}.counters`, counter))),
  ]
}
