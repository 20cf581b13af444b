// Applications of Argo CD that make a workload: by what Argo CD writes on it, and where their inline values stand.

import type { KubeObject } from '#kube/objects/objects.ts'
import { isKnownChart, valuePlace } from './chart-values.ts'
import { isFields, type Manifest, type ManifestFolder, manifestValues } from './manifests.ts'
import { withValue, type YamlPath } from './yaml-edit.ts'

type Fields = Readonly<Record<string, unknown>>

/** The Application that made the object, where it is in the folder; a text says why none can be told. */
export function applicationOf({ arrivals }: Pick<ManifestFolder, 'arrivals'>, live: KubeObject): Manifest | string | undefined {
  const { annotations = {}, labels = {}, namespace = 'default' } = live.metadata
  const tracked = annotations['argocd.argoproj.io/tracking-id']?.split(':')[0] ?? labels['argocd.argoproj.io/instance']
  const name = tracked ?? labels['app.kubernetes.io/instance']
  if (name === undefined) return undefined
  const found = arrivals.filter(({ manifest, name: arrived }) => {
    if (manifest.kind !== 'Application' || !manifest.apiVersion.startsWith('argoproj.io/') || arrived !== name) return false
    const target = fieldsOf(fieldsOf(manifest.object['spec'])['destination'])['namespace']
    return tracked !== undefined || target === undefined || target === namespace
  })
  const manifests = [...new Set(found.map(({ manifest }) => manifest))]
  const [only, second] = manifests
  if (second !== undefined) return `several Applications could make it (${manifests.map(({ file }) => file).join(', ')})`
  if (only === undefined && tracked !== undefined) return `Application ${tracked} of Argo CD makes it, which is not here`
  return only
}

interface Said {
  readonly live: KubeObject
  readonly path: YamlPath
  readonly value: (before: unknown) => unknown
}

/**
 * The text of the Application's file with its inline values changed.
 * @returns why not, where it has no chart with known values, or none inline
 */
export function withApplicationValue(
  text: string,
  { document, prefix, name, object }: Manifest,
  said: Said,
): { readonly after: string } | { readonly because: string } {
  const spec = fieldsOf(object['spec'])
  const single: readonly (readonly [YamlPath, Fields])[] = isFields(spec['source']) ? [[['source'], spec['source']]] : []
  const list: readonly unknown[] = Array.isArray(spec['sources']) ? spec['sources'] : []
  const many = list.flatMap((source, at): [YamlPath, Fields][] => (isFields(source) ? [[['sources', at], source]] : []))
  const charts = [...single, ...many].filter(([, source]) => typeof source['chart'] === 'string')
  const [chart, second] = charts
  const shown = `Application ${name} of Argo CD makes it`
  if (chart === undefined || second !== undefined)
    return { because: `${shown}${chart === undefined ? ' from manifests that are not here' : ' of several charts'}` }
  const [at, source] = chart
  const key = String(said.path.at(-1))
  if (!isKnownChart(source['chart']))
    return { because: `${shown} with chart ${String(source['chart'])}, of which it is not known what value sets ${key}` }
  const helm = fieldsOf(source['helm'])
  const root = [...prefix, 'spec', ...at, 'helm']
  const edit = isFields(helm['valuesObject'])
    ? inObject(text, { document, path: [...root, 'valuesObject'] }, helm['valuesObject'], said)
    : inText(text, { document, path: [...root, 'values'] }, helm['values'], said)
  return edit === undefined ? { because: `${shown}, and its inline values cannot say it (spec.source.helm)` } : { after: edit }
}

interface At {
  readonly document: number
  readonly path: YamlPath
}

function inObject(text: string, { document, path }: At, values: Fields, said: Said): string | undefined {
  const place = valuePlace(values, said.live, said.path)
  return place && withValue(text, { document, path: [...path, ...place.path] }, said.value(place.before))
}

/** Values as a text of YAML in YAML. */
function inText(text: string, { document, path }: At, values: unknown, said: Said): string | undefined {
  if (typeof values !== 'string') return undefined
  const place = valuePlace(manifestValues(values)[0], said.live, said.path)
  const inner = place && withValue(values, { document: 0, path: place.path }, said.value(place.before))
  return inner === undefined ? undefined : withValue(text, { document, path }, inner)
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {}
}
