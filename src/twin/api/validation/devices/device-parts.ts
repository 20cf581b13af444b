// What claims, classes and slices of devices have in common: names, selectors, taints and what only a driver understands.
import { checkCel } from '#kube/cel/cel-check.ts'
import { dynType, isDynamic, typeText } from '#kube/cel/cel-types.ts'
import { duplicate, type FieldError, invalid, notSupported, required, tooLong, tooMany } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems, labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, isFields, itemsAt, listAt, textAt } from '../../../json-value.ts'

/** Each value against the rules of names; `isRequired`: an empty one is told as such. */
function nameProblems(at: string, name: string, rules: (text: string) => readonly string[]): readonly FieldError[] {
  return rules(name).map(rule => invalid(at, name, rule))
}

/** What is wrong with the name of a request, a device or a counter. */
export function labelProblems(at: string, name: string): readonly FieldError[] {
  return nameProblems(at, name, dns1123LabelProblems)
}

const driverLength = 63
const identifierLength = 32
const conditionCount = 4

/** What is wrong with the name of a driver. */
export function driverNameProblems(at: string, name: string): readonly FieldError[] {
  if (name === '') return [required(at)]
  return [
    ...(name.length > driverLength ? [tooLong(at, driverLength)] : []),
    ...dns1123SubdomainProblems(name.toLowerCase()).map(rule => invalid(at, name, rule)),
  ]
}

/** What is wrong with the name of a pool: names of a DNS subdomain with slashes between. */
export function poolNameProblems(at: string, name: string): readonly FieldError[] {
  if (name === '') return [required(at)]
  const most = 253
  return [
    ...(name.length > most ? [tooLong(at, most)] : []),
    ...name.split('/').flatMap(part => nameProblems(at, part, dns1123SubdomainProblems)),
  ]
}

const identifierRule =
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')"

function identifierProblems(at: string, text: string): readonly FieldError[] {
  return [
    ...(text.length > identifierLength ? [tooLong(at, identifierLength)] : []),
    ...(/^[A-Za-z_][A-Za-z0-9_]*$/.test(text) ? [] : [invalid(at, text, identifierRule)]),
  ]
}

/** What is wrong with the name of an attribute or a capacity, with or without its domain. */
export function attributeNameProblems(at: string, name: string): readonly FieldError[] {
  const [first = '', second, ...more] = name.split('/')
  if (more.length > 0) return []
  if (second === undefined) return identifierProblems(at, first)
  return [
    ...(first === '' ? [invalid(at, '', 'the domain must not be empty')] : driverNameProblems(at, first)),
    ...(second === '' ? [invalid(at, '', 'the name must not be empty')] : identifierProblems(at, second)),
  ]
}

/** What is wrong with the name of an attribute that must have a domain. */
export function qualifiedAttributeProblems(at: string, name: string): readonly FieldError[] {
  const rule = 'a fully qualified name must be a domain and a name separated by a slash'
  return [...attributeNameProblems(at, name), ...(name.includes('/') ? [] : [invalid(at, name, rule)])]
}

const selectorCount = 32
const expressionLength = 10_240

/** What is wrong with selectors of devices. */
export function selectorProblems(at: string, selectors: readonly Draft[]): readonly FieldError[] {
  if (selectors.length > selectorCount) return [tooMany(at, selectors.length, selectorCount)]
  return selectors.flatMap((selector, index) => {
    const place = `${at}[${index}].cel`
    const cel = fieldsAt(selector, 'cel')
    if (cel === undefined) return [required(place)]
    return expressionProblems(`${place}.expression`, textAt(cel, 'expression') ?? '')
  })
}

function expressionProblems(at: string, expression: string): readonly FieldError[] {
  if (expression.length > expressionLength) return [tooLong(at, expressionLength)]
  const outcome = checkCel(expression, new Map([['device', dynType]]))
  if (!outcome.ok) return [invalid(at, expression, `compilation failed: ${outcome.problem}`)]
  const { type } = outcome.checked
  if (type.kind === 'bool' || isDynamic(type)) return []
  return [invalid(at, expression, `must evaluate to bool or the unknown type, not ${typeText(type)}`)]
}

const parameterBytes = 10_240

/** What is wrong with a configuration that only a driver understands. */
export function configurationProblems(at: string, config: Draft): readonly FieldError[] {
  const opaque = fieldsAt(config, 'opaque')
  if (opaque === undefined) return [required(`${at}.opaque`)]
  return [
    ...driverNameProblems(`${at}.opaque.driver`, textAt(opaque, 'driver') ?? ''),
    ...rawProblems(`${at}.opaque.parameters`, opaque['parameters'] ?? undefined),
  ]
}

/** What is wrong with an object of any shape that must be one. */
export function rawProblems(at: string, value: unknown): readonly FieldError[] {
  if (value === undefined || value === null) return [required(at)]
  if (JSON.stringify(value).length > parameterBytes) return [tooLong(at, parameterBytes)]
  return isFields(value) ? [] : [invalid(at, '<value omitted>', 'must be a valid JSON object')]
}

const effects = ['NoExecute', 'NoSchedule', 'None']

/** What is wrong with a taint of a device. */
export function deviceTaintProblems(at: string, taint: Draft): readonly FieldError[] {
  const [key, value, effect] = ['key', 'value', 'effect'].map(name => textAt(taint, name) ?? '') as [string, string, string]
  return [
    ...nameProblems(`${at}.key`, key, qualifiedNameProblems),
    ...nameProblems(`${at}.value`, value, labelValueProblems),
    ...(effect === ''
      ? [required(`${at}.effect`)]
      : effects.includes(effect)
        ? []
        : [notSupported(`${at}.effect`, effect, effects)]),
  ]
}

const operators = ['Equal', 'Exists']
const tolerationCount = 16

/** What is wrong with tolerations of taints of devices. */
export function deviceTolerationProblems(at: string, tolerations: readonly Draft[]): readonly FieldError[] {
  if (tolerations.length > tolerationCount) return [tooMany(at, tolerations.length, tolerationCount)]
  return tolerations.flatMap((toleration, index) => {
    const place = `${at}[${index}]`
    const text = (name: string) => textAt(toleration, name) ?? ''
    const operator = text('operator')
    return [
      ...(text('key') === '' ? [] : nameProblems(`${place}.key`, text('key'), qualifiedNameProblems)),
      ...(operator === 'Exists' && text('value') !== ''
        ? [invalid(`${place}.value`, text('value'), 'must be empty for operator `Exists`')]
        : []),
      ...(operator === 'Equal' ? nameProblems(`${place}.value`, text('value'), labelValueProblems) : []),
      ...(operator === '' ? [required(`${place}.operator`)] : []),
      ...(operator === '' || operators.includes(operator) ? [] : [notSupported(`${place}.operator`, operator, operators)]),
      ...(text('effect') === '' || effects.includes(text('effect'))
        ? []
        : [notSupported(`${place}.effect`, text('effect'), effects)]),
    ]
  })
}

/** What is wrong with the conditions that a device waits for. */
export function bindingProblems(at: string, holder: Draft): readonly FieldError[] {
  const conditions = (name: string) => listAt(holder, name).map(String)
  const [good, bad] = [conditions('bindingConditions'), conditions('bindingFailureConditions')]
  const listed = (name: string, values: readonly string[]) => {
    const place = `${at}.${name}`
    if (values.length > conditionCount) return [tooMany(place, values.length, conditionCount)]
    return values.flatMap((value, index) => nameProblems(`${place}[${index}]`, value, qualifiedNameProblems))
  }
  const repeated = (name: string, values: readonly string[]) =>
    values.flatMap((value, index) => (values.indexOf(value) < index ? [duplicate(`${at}.${name}[${index}]`, value)] : []))
  const missing = (name: string, other: string) => invalid(`${at}.${name}`, null, `${name} are required to use ${other}`)
  return [
    ...listed('bindingConditions', good),
    ...listed('bindingFailureConditions', bad),
    ...repeated('bindingConditions', good),
    ...repeated('bindingFailureConditions', bad),
    ...bad.flatMap((value, index) =>
      good.includes(value)
        ? [
            invalid(
              `${at}.bindingFailureConditions[${index}]`,
              value,
              'bindingFailureConditions must not overlap with bindingConditions',
            ),
          ]
        : [],
    ),
    ...(good.length === 0 && bad.length > 0 ? [missing('bindingConditions', 'bindingFailureConditions')] : []),
    ...(bad.length === 0 && good.length > 0 ? [missing('bindingFailureConditions', 'bindingConditions')] : []),
  ]
}

/** The requests of a claim by the names by which others speak of them. */
export function requestNames(devices: Draft | undefined): ReadonlySet<string> {
  return new Set(
    itemsAt(devices, 'requests').flatMap(request => {
      const name = textAt(request, 'name') ?? ''
      return [name, ...itemsAt(request, 'firstAvailable').map(one => `${name}/${textAt(one, 'name') ?? ''}`)]
    }),
  )
}

/** What is wrong with names of requests that stand in a list. */
export function requestReferenceProblems(
  at: string,
  references: readonly string[],
  names: ReadonlySet<string>,
): readonly FieldError[] {
  if (references.length > selectorCount) return [tooMany(at, references.length, selectorCount)]
  return [
    ...references.flatMap((name, index) => requestNameProblems(`${at}[${index}]`, name, names)),
    ...references.flatMap((name, index) => (references.indexOf(name) < index ? [duplicate(`${at}[${index}]`, name)] : [])),
  ]
}

/** What is wrong with a name that must be one of a request. */
export function requestNameProblems(at: string, name: string, names: ReadonlySet<string>): readonly FieldError[] {
  const parts = name.split('/')
  const rule = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
  if (parts.length > 2) return [invalid(at, name, rule)]
  return [...parts.flatMap(part => labelProblems(at, part)), ...(names.has(name) ? [] : [invalid(at, name, rule)])]
}

const extendedRule = 'must be a valid extended resource name'

/** What is wrong with a DeviceClass but for its metadata. */
export function deviceClassProblems(draft: Draft): readonly FieldError[] {
  const configs = itemsAt(draft, 'spec', 'config')
  const name = textAt(draft, 'spec', 'extendedResourceName')
  return [
    ...selectorProblems('spec.selectors', itemsAt(draft, 'spec', 'selectors')),
    ...(configs.length > selectorCount
      ? [tooMany('spec.config', configs.length, selectorCount)]
      : configs.flatMap((config, index) => configurationProblems(`spec.config[${index}]`, config))),
    ...(name === undefined || isExtended(name) ? [] : [invalid('spec.extendedResourceName', name, extendedRule)]),
  ]
}

/** Whether a resource is one that is counted in whole pieces and is not Kubernetes' own. */
function isExtended(name: string): boolean {
  const isNative = !name.includes('/') || name.includes('kubernetes.io/')
  if (isNative || name.startsWith('requests.')) return false
  return qualifiedNameProblems(`requests.${name}`).length === 0
}
