// kwok's Stage, ResourceUsage and ClusterResourceUsage as our own kinds, as far as they say by paths and values what they mean.
// Templates, jq and kwok's own functions are not followed: such objects are named and left out.
import { parse } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'
import { twinGroup } from '../faults/fault-spec.ts'
import { type Draft, fieldsAt, isFields, itemsAt, listAt, numberAt, textAt, textsAt, valueAt } from '../json-value.ts'

const kwokGroup = 'kwok.x-k8s.io/'
const translated: ReadonlySet<string> = new Set(['Stage', 'ResourceUsage', 'ClusterResourceUsage'])

/** The same objects with kwok's translated; `problems` names those that cannot be. */
export function translateKwok(objects: readonly KubeObject[]): {
  readonly objects: readonly KubeObject[]
  readonly problems: readonly Problem[]
} {
  const problems: Problem[] = []
  const result = objects.flatMap(object => {
    if (!isKwok(object)) return [object]
    try {
      return object.kind === 'Stage' ? [stageOf(object)] : usagesOf(object)
    } catch (error) {
      if (!(error instanceof Untranslated)) throw error
      const where = `${object.kind} ${object.metadata.name}`
      problems.push({ code: 'kwok-untranslated', where, found: error.message, expected: error.expected })
      return []
    }
  })
  return { objects: result, problems }
}

/** Whether an object is one that this file translates. */
function isKwok(object: KubeObject): boolean {
  return typeof object.apiVersion === 'string' && object.apiVersion.startsWith(kwokGroup) && translated.has(object.kind)
}

class Untranslated extends Error {
  readonly expected: string
  constructor(found: string, expected: string) {
    super(found)
    this.expected = expected
  }
}

function own(kind: string, name: string, spec: object): KubeObject {
  return { apiVersion: `${twinGroup}/v1alpha1`, kind, metadata: { name }, spec: { ...spec } }
}

function stageOf(object: KubeObject): KubeObject {
  const spec = fieldsAt(object, 'spec') ?? {}
  const version = textAt(spec, 'resourceRef', 'apiGroup') ?? 'v1'
  const group = version.includes('/') ? version.slice(0, version.indexOf('/')) : version === 'v1' ? '' : version
  const kind = textAt(spec, 'resourceRef', 'kind') ?? ''
  if (group === '' && (kind === 'Pod' || kind === 'Node'))
    throw new Untranslated(`a stage of ${kind}`, "stages of other kinds: the twin's own kubelets run pods and nodes")
  for (const field of ['weightFrom', 'steps'])
    if (spec[field] !== undefined) throw new Untranslated(`spec.${field}`, 'a weight and one step')
  const weight = numberAt(spec, 'weight')
  return own('TwinStage', object.metadata.name, {
    ref: { group, kind },
    match: matchOf(fieldsAt(spec, 'selector')),
    ...(weight === undefined || weight === 0 ? {} : { weight }),
    ...delayOf(fieldsAt(spec, 'delay')),
    ...nextOf(fieldsAt(spec, 'next') ?? {}),
  })
}

function delayOf(delay: Draft | undefined) {
  if (delay === undefined) return {}
  for (const field of ['durationFrom', 'jitterDurationFrom'])
    if (delay[field] !== undefined) throw new Untranslated(`spec.delay.${field}`, 'milliseconds')
  const ms = numberAt(delay, 'durationMilliseconds') ?? 0
  // kwok draws between the two.
  const jitterMs = Math.max(0, (numberAt(delay, 'jitterDurationMilliseconds') ?? ms) - ms)
  return { delay: `${ms}ms`, ...(jitterMs === 0 ? {} : { jitter: `${jitterMs}ms` }) }
}

function nextOf(next: Draft) {
  if (next['finalizers'] !== undefined) throw new Untranslated('spec.next.finalizers', 'a patch, an event or a deletion')
  const event = fieldsAt(next, 'event')
  return {
    ...patchOf(next),
    ...(event === undefined
      ? {}
      : {
          event: {
            type: textAt(event, 'type') === 'Warning' ? 'Warning' : 'Normal',
            reason: textAt(event, 'reason') ?? 'Stage',
            message: textAt(event, 'message') ?? '',
          },
        }),
    ...(next['delete'] === true ? { delete: true } : {}),
  }
}

function patchOf(next: Draft) {
  const template = textAt(next, 'statusTemplate')
  if (template !== undefined) return { patch: { subresource: 'status', merge: { status: plainTemplate(template) } } }
  const patches = itemsAt(next, 'patches')
  const [patch] = patches
  if (patch === undefined) return {}
  if (patches.length > 1) throw new Untranslated(`${patches.length} patches`, 'one')
  if ((textAt(patch, 'type') ?? 'merge') === 'json') throw new Untranslated('a JSON patch', 'a merge patch')
  const merge = plainTemplate(textAt(patch, 'template') ?? '')
  const root = textAt(patch, 'root')
  const whole = root === undefined || root === '' ? merge : { [root]: merge }
  return { patch: { ...(textAt(patch, 'subresource') === 'status' ? { subresource: 'status' } : {}), merge: whole } }
}

/** What a template without anything to fill in says. */
function plainTemplate(template: string): Draft {
  if (template.includes('{{')) throw new Untranslated('a template with actions', 'a template that is plain YAML')
  const value: unknown = parse(template, { maxAliasCount: 100 })
  if (isFields(value)) return value
  throw new Untranslated('a template that is no map', 'a template that is plain YAML')
}

function matchOf(selector: Draft | undefined): string {
  const parts = [
    ...mapParts('labels', textsAt(selector, 'matchLabels')),
    ...mapParts('annotations', textsAt(selector, 'matchAnnotations')),
    ...listAt(selector, 'matchExpressions').map(expressionPart),
  ]
  return parts.length === 0 ? 'true' : parts.join(' && ')
}

function mapParts(field: string, wanted: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(wanted).map(([key, value]) => {
    const [name, text] = [JSON.stringify(key), JSON.stringify(value)]
    return `(has(self.metadata.${field}) && ${name} in self.metadata.${field} && self.metadata.${field}[${name}] == ${text})`
  })
}

function expressionPart(expression: unknown): string {
  if (valueAt(expression, 'jq') !== undefined) throw new Untranslated('a selector in jq', 'keys that are paths')
  const cel = textAt(expression, 'cel', 'expression')
  if (cel !== undefined) return `(${cel})`
  const key = textAt(expression, 'key') ?? ''
  const { exists, value } = pathOf(key)
  const values = listAt(expression, 'values').map(one => JSON.stringify(String(one)))
  switch (textAt(expression, 'operator')) {
    case 'Exists':
      return `(${exists})`
    case 'DoesNotExist':
      return `!(${exists})`
    case 'In':
      return `(${exists} && string(${value}) in [${values.join(', ')}])`
    case 'NotIn':
      return `!(${exists} && string(${value}) in [${values.join(', ')}])`
    default:
      throw new Untranslated(`the operator ${textAt(expression, 'operator') ?? ''}`, 'In, NotIn, Exists or DoesNotExist')
  }
}

const segment = /\.(?:([A-Za-z_][A-Za-z0-9_]*)|"([^"\\]+)"|\["([^"\\]+)"\])|\["([^"\\]+)"\]/y

/** Reads a path such as `.metadata.labels["app"]`: whether it is there, and its value. */
function pathOf(key: string): { readonly exists: string; readonly value: string } {
  let value = 'self'
  const exists: string[] = []
  let at = 0
  while (at < key.length) {
    segment.lastIndex = at
    const match = segment.exec(key)
    if (match === null) throw new Untranslated(`the key ${key}`, 'a path of fields')
    at = segment.lastIndex
    const [, plain, ...quoted] = match
    const name = quoted.find(text => text !== undefined)
    if (plain !== undefined) {
      exists.push(`has(${value}.${plain})`)
      value = `${value}.${plain}`
    } else {
      exists.push(`${JSON.stringify(name)} in ${value}`)
      value = `${value}[${JSON.stringify(name)}]`
    }
  }
  if (exists.length === 0) throw new Untranslated('an empty key', 'a path of fields')
  return { exists: exists.join(' && '), value }
}

/** One for each place and container that is meant. */
function usagesOf(object: KubeObject): readonly KubeObject[] {
  const isCluster = object.kind === 'ClusterResourceUsage'
  const namespaces = isCluster
    ? orAny(listAt(object, 'spec', 'selector', 'matchNamespaces'))
    : [object.metadata.namespace ?? 'default']
  const pods = isCluster ? orAny(listAt(object, 'spec', 'selector', 'matchNames')) : [object.metadata.name]
  const found: object[] = []
  for (const usage of itemsAt(object, 'spec', 'usages')) {
    const amounts = { ...amountOf(usage, 'cpu'), ...amountOf(usage, 'memory') }
    if (Object.keys(amounts).length === 0) continue
    for (const namespace of namespaces)
      for (const pod of pods)
        for (const container of orAny(listAt(usage, 'containers'))) {
          const selector = Object.fromEntries(
            Object.entries({ namespace, pod, container }).filter(([, value]) => value !== undefined),
          )
          found.push({ ...(Object.keys(selector).length === 0 ? {} : { selector }), ...amounts })
        }
  }
  const base = isCluster ? object.metadata.name : `${namespaces[0]}.${object.metadata.name}`
  return found.map((spec, index) => own('TwinUsage', found.length === 1 ? base : `${base}-${index}`, spec))
}

function orAny(list: readonly unknown[]): readonly (string | undefined)[] {
  return list.length === 0 ? [undefined] : list.map(String)
}

function amountOf(usage: Draft, resource: 'cpu' | 'memory') {
  const value = valueAt(usage, 'usage', resource, 'value')
  if (typeof value === 'string' || typeof value === 'number') return { [resource]: { constant: value } }
  const expression = textAt(usage, 'usage', resource, 'expression')
  if (expression === undefined) return {}
  if (/\b(Quantity|Rand|SinceSecond|UnixSecond|Now)\s*\(/.test(expression))
    throw new Untranslated(`an expression with functions of kwok for ${resource}`, 'a value, or CEL without them')
  return { [resource]: { expression } }
}
